// HttpPeer: an HTTP server of the test's own, whose answers are a function of the request: what sinks speak to in unit
// tests. FakeBucket: the S3 operations of a sink on a map, with faults at will.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/guarded.h"
#include "metrics/registry.h"
#include "net/http/server.h"
#include "net/testing/socket_client.h"

namespace millrace::connect::testing {

class HttpPeer {
 public:
  using Answer = std::function<net::http::Response(const net::http::Request&)>;
  /// Called on the peer's thread.
  explicit HttpPeer(const Answer& answer) {
    // Paths of up to eight parts, for object keys.
    for (const char* method : {"GET", "PUT", "POST", "DELETE"}) {
      std::string pattern = "/";
      router_.add_simple(method, pattern, answer);
      for (int parts = 1; parts <= 10; ++parts) {
        pattern += (parts == 1 ? "{p" : "/{p") + std::to_string(parts) + "}";
        router_.add_simple(method, pattern, answer);
      }
    }
    net::http::ServerOptions options;
    options.read.body_bytes = 64U << 20U;
    server_ = net::http::Server::listen(thread_.loop(), net::Address{}, router_, registry_, options).value();
    port_ = server_->address().port;
    thread_.run([this] { server_->start(); });
  }
  ~HttpPeer() {
    thread_.run([this] { server_.reset(); });
  }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

 private:
  metrics::Registry registry_;
  net::http::Router router_;
  net::testing::LoopThread thread_;
  std::unique_ptr<net::http::Server> server_;
  std::uint16_t port_ = 0;
};

class FakeBucket {
 public:
  /// What happens to a request: null: it is served. `before`: refused untouched; `after`: done, but the answer is lost.
  enum class Fault : std::uint8_t { none, before, after };
  explicit FakeBucket(std::function<Fault()> fault = [] { return Fault::none; })
      : fault_(std::move(fault)), peer_([this](const net::http::Request& request) { return serve(request); }) {}

  [[nodiscard]] std::string url() const { return peer_.url(); }
  [[nodiscard]] std::map<std::string, std::string> objects() const {
    return objects_.with([](const auto& all) { return all; });
  }
  [[nodiscard]] std::size_t open_uploads() const { return uploads_.size(); }

 private:
  using Response = net::http::Response;
  Response serve(const net::http::Request& request) {
    const Fault fault = fault_();
    if (fault == Fault::before) return {503, "application/xml", {}, "<Error><Code>SlowDown</Code></Error>"};
    Response response = apply(request);
    if (fault == Fault::after) return {500, "application/xml", {}, "<Error><Code>InternalError</Code></Error>"};
    return response;
  }
  Response apply(const net::http::Request& request) {
    std::string path;
    if (!net::http::percent_decode(request.path, false, path)) return {400, "text/plain", {}, ""};
    const std::string* upload = request.query_value("uploadId");
    if (request.method == "POST" && request.query_value("uploads") != nullptr) {
      const std::string id = "u" + std::to_string(++next_upload_);
      uploads_[id] = {};
      return xml("<UploadId>" + id + "</UploadId>");
    }
    if (request.method == "GET") return xml("<ListMultipartUploadsResult></ListMultipartUploadsResult>");
    if (upload != nullptr && !uploads_.contains(*upload)) {
      return {404, "application/xml", {}, "<Error><Code>NoSuchUpload</Code></Error>"};
    }
    if (request.method == "DELETE") {
      uploads_.erase(*upload);
      return {204, "application/xml", {}, ""};
    }
    if (request.method == "PUT" && upload != nullptr) {
      uploads_[*upload][std::stoi(*request.query_value("partNumber"))] = request.body;
      Response response = xml("");
      response.headers.emplace_back("ETag", "\"" + std::to_string(std::hash<std::string>{}(request.body)) + "\"");
      return response;
    }
    if (request.method == "POST") {
      std::string all;
      for (const auto& [number, part] : uploads_[*upload]) all += part;
      uploads_.erase(*upload);
      objects_.with([&](auto& objects) { objects[path] = all; });
      return xml("<CompleteMultipartUploadResult></CompleteMultipartUploadResult>");
    }
    objects_.with([&](auto& objects) { objects[path] = request.body; });
    return xml("");
  }
  static Response xml(std::string body) { return {200, "application/xml", {}, std::move(body)}; }

  std::function<Fault()> fault_;
  Guarded<std::map<std::string, std::string>> objects_;
  std::map<std::string, std::map<int, std::string>> uploads_;  // the peer's thread only
  int next_upload_ = 0;
  HttpPeer peer_;
};

}  // namespace millrace::connect::testing
