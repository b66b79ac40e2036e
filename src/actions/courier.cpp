#include "actions/courier.h"

#include <fmt/format.h>

#include <algorithm>

#include "connect/sinks/http/http_answer.h"
#include "connect/sinks/retry_after.h"

namespace millrace::actions {
namespace {

using connect::http::Verdict;
using rules::ActionDefinition;
using rules::DeliveryRequest;

bool shares_a_request(const DeliveryRequest& a, const DeliveryRequest& b) {
  return b.max_batch_size > 1 && a.method == b.method && a.target == b.target && a.headers == b.headers;
}

}  // namespace

Courier::Delay Courier::run(std::span<const Errand> chain) {
  Delay delay;
  while (!chain.empty()) {
    const Errand& first = chain.front();
    if (first.progress->state != RequestProgress::State::pending) {
      chain = chain.subspan(1);
      continue;
    }
    const bool file = first.request->kind == ActionDefinition::Kind::file;
    const std::size_t count = file ? 1 : batch_of(chain);
    if (!(file ? append_line(first, delay) : send(chain.first(count), delay))) return delay;
    chain = chain.subspan(count);
  }
  return delay;
}

std::size_t Courier::batch_of(std::span<const Errand> chain) {
  const DeliveryRequest& first = *chain.front().request;
  std::size_t bytes = first.body.size();
  std::size_t count = 1;
  while (count < chain.size() && count < first.max_batch_size) {
    const Errand& next = chain[count];
    bytes += next.request->body.size() + 1;
    if (next.progress->state != RequestProgress::State::pending || bytes > first.max_batch_bytes ||
        !shares_a_request(first, *next.request)) {
      break;
    }
    ++count;
  }
  return count;
}

net::http::ClientRequest Courier::request_of(std::span<const Errand> batch) {
  const Errand& first = batch.front();
  const DeliveryRequest& request = *first.request;
  net::http::ClientRequest out;
  out.method = request.method;
  out.url = request.target;
  bool typed = false;
  for (const auto& [name, value] : request.headers) {
    out.headers.emplace_back(name, value);
    typed = typed || name == "Content-Type" || name == "content-type";
  }
  out.has_body = request.method != "GET";
  if (!typed && out.has_body) out.headers.emplace_back("Content-Type", "application/json");
  // The same for every try of this request, so that a destination can tell a repetition from a second message.
  if (batch.size() == 1) {
    out.headers.emplace_back("Idempotency-Key", fmt::format("\"{}-{}-{}-{}\"", host_.log.cluster_id().to_string(),
                                                            first.partition, first.offset.value(), first.number));
  }
  out.body = request.body;
  // What allows batching is always an array, so that its receiver has one form to read.
  if (request.max_batch_size > 1) {
    body_.clear();
    for (const Errand& errand : batch) {
      body_.push_back(&errand == batch.data() ? '[' : ',');
      body_.append(errand.request->body);
    }
    body_.push_back(']');
    out.body = body_.view();
  }
  if (!out.has_body) out.body = {};
  return out;
}

bool Courier::send(std::span<const Errand> batch, Delay& delay) {
  const std::chrono::milliseconds timeout(batch.front().request->timeout_ms);
  if (timeout != timeout_) {
    timeout_ = timeout;
    client_ = net::http::Client({.connect_timeout = timeout, .request_timeout = timeout}, &stopping_);
  }
  const auto response = client_.perform(request_of(batch));
  if (!response) {
    if (response.error().code == ErrorCode::invalid_argument || response.error().code == ErrorCode::too_large) {
      for (const Errand& errand : batch) {
        errand.progress->state = RequestProgress::State::failed;
        errand.progress->reason = response.error().message();
      }
      return true;
    }
    if (give_up(batch, response.error())) return true;
    delay.error = response.error();
    return false;
  }
  switch (connect::http::judge(*response)) {
    case Verdict::taken:
      for (const Errand& errand : batch) {
        errand.progress->state = RequestProgress::State::taken;
        errand.progress->answer_waits = !errand.request->answer_topic.empty();
        if (errand.progress->answer_waits) errand.progress->answer = response->body;
      }
      return true;
    case Verdict::later: {
      const Error error = connect::http::refusal(*response);
      if (give_up(batch, error)) return true;
      delay.error = error;
      delay.retry_after = connect::retry_after(*response);
      return false;
    }
    case Verdict::refused:
    case Verdict::unauthorized:
      break;
  }
  // Whose fault it is shows when each goes alone.
  if (batch.size() > 1) {
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (!send(batch.subspan(i, 1), delay)) return false;
    }
    return true;
  }
  batch.front().progress->state = RequestProgress::State::failed;
  batch.front().progress->reason = connect::http::refusal(*response).message();
  return true;
}

bool Courier::append_line(const Errand& errand, Delay& delay) {
  const auto written = files_.append(errand.request->target, errand.request->body);
  if (written) {
    errand.progress->state = RequestProgress::State::taken;
    return true;
  }
  if (written.error().code == ErrorCode::disk_full) {
    delay.error = written.error();
    return false;
  }
  errand.progress->state = RequestProgress::State::failed;
  errand.progress->reason = written.error().message();
  return true;
}

bool Courier::give_up(std::span<const Errand> batch, const Error& error) {
  if (error.code == ErrorCode::closed) return false;  // stopping
  const auto now = static_cast<std::uint64_t>(host_.clock.wall().count());
  const auto late = [&](const Errand& errand) {
    const auto since = static_cast<std::uint64_t>(errand.delivery->received_at_ms);
    const std::uint64_t limit = errand.request->give_up_after_ms;
    return limit != 0 && now > since && now - since > limit;
  };
  for (const Errand& errand : batch) {
    if (!late(errand)) continue;
    errand.progress->state = RequestProgress::State::failed;
    errand.progress->reason =
        error.message() + "; given up after " + std::to_string(errand.request->give_up_after_ms) + " ms";
  }
  return std::ranges::all_of(
      batch, [](const Errand& errand) { return errand.progress->state != RequestProgress::State::pending; });
}

}  // namespace millrace::actions
