#include "connect/sinks/s3/credentials.h"

#include <fmt/format.h>

namespace millrace::connect::s3 {
namespace {

constexpr std::size_t kMaxFile = 1_MiB;

std::string variable(const Surroundings& surroundings, std::string_view name) {
  return surroundings.variable(name).value_or("");
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && static_cast<unsigned char>(text.front()) <= ' ') text.remove_prefix(1);
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.remove_suffix(1);
  return text;
}

}  // namespace

BucketAddress find_address(const Settings& settings, const Surroundings& surroundings) {
  BucketAddress address;
  address.bucket = settings.text("s3.bucket.name");
  address.path_style = settings.flag("s3.path.style.access.enabled");
  address.region = settings.text("s3.region");
  address.endpoint = settings.text("store.url");
  if (address.endpoint.empty()) address.endpoint = variable(surroundings, "AWS_ENDPOINT_URL_S3");
  if (address.endpoint.empty()) address.endpoint = variable(surroundings, "AWS_ENDPOINT_URL");
  if (address.endpoint.empty()) address.endpoint = fmt::format("https://s3.{}.amazonaws.com", address.region);
  while (address.endpoint.ends_with('/')) address.endpoint.pop_back();
  return address;
}

Credentials read_profile(std::string_view file, std::string_view profile) {
  Credentials found;
  bool inside = false;
  while (!file.empty()) {
    const auto end = file.find('\n');
    const std::string_view line = trimmed(file.substr(0, end));
    file = end == std::string_view::npos ? std::string_view() : file.substr(end + 1);
    if (line.starts_with('[')) {
      inside = line == fmt::format("[{}]", profile);
    } else if (const auto equals = line.find('='); inside && equals != std::string_view::npos) {
      const std::string_view name = trimmed(line.substr(0, equals));
      const std::string value(trimmed(line.substr(equals + 1)));
      if (name == "aws_access_key_id") found.access_key_id = value;
      if (name == "aws_secret_access_key") found.secret_access_key = value;
      if (name == "aws_session_token") found.session_token = value;
    }
  }
  return found;
}

Result<Credentials> find_credentials(const Settings& settings, const Surroundings& surroundings) {
  Credentials found{settings.text("aws.access.key.id"), settings.text("aws.secret.access.key"), ""};
  if (!found.access_key_id.empty()) return found;
  found = {variable(surroundings, "AWS_ACCESS_KEY_ID"), variable(surroundings, "AWS_SECRET_ACCESS_KEY"),
           variable(surroundings, "AWS_SESSION_TOKEN")};
  if (!found.access_key_id.empty() && !found.secret_access_key.empty()) return found;
  std::string path = variable(surroundings, "AWS_SHARED_CREDENTIALS_FILE");
  if (path.empty()) path = variable(surroundings, "HOME") + "/.aws/credentials";
  if (surroundings.files != nullptr && path.starts_with('/')) {
    const std::string profile = variable(surroundings, "AWS_PROFILE");
    if (const auto file = io::read_file(*surroundings.files, path.substr(1), kMaxFile)) {
      found = read_profile(*file, profile.empty() ? "default" : profile);
    }
  }
  if (!found.access_key_id.empty() && !found.secret_access_key.empty()) return found;
  return fail(
      ErrorCode::invalid_argument, "no AWS credentials",
      "neither aws.access.key.id and aws.secret.access.key, nor AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, nor " +
          path);
}

}  // namespace millrace::connect::s3
