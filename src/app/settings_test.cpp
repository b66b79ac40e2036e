#include "app/settings.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace millrace::app {
namespace {

std::string problems_of(std::string_view document, const std::vector<std::string>& overrides = {}) {
  const auto settings = parse_settings(document, "millrace.yaml", overrides);
  return settings ? "ok" : settings.error().detail;
}

std::string file_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return std::move(text).str();
}

TEST(Settings, defaults_need_no_file) {
  const auto settings = load_settings("");
  ASSERT_TRUE(settings.has_value()) << settings.error().message();
  EXPECT_EQ(settings->mqtt_listener.address()->to_string(), "127.0.0.1:1883");
  EXPECT_EQ(settings->kafka_listener.address()->to_string(), "127.0.0.1:9092");
  EXPECT_EQ(settings->http_listener.address()->to_string(), "127.0.0.1:8080");
  EXPECT_TRUE(settings->auto_create_topics);
  EXPECT_EQ(settings->topic_defaults.retention_ms, 604'800'000);
  EXPECT_EQ(settings->topic_defaults.flush_messages, 1);
  EXPECT_GE(settings->loops, 1);
}

TEST(Settings, scenario_a_loads) {
  const auto settings = load_settings(MILLRACE_SOURCE_DIR "/examples/scenario-a.yaml");
  ASSERT_TRUE(settings.has_value()) << settings.error().message();
  EXPECT_FALSE(settings->auto_create_topics);
  ASSERT_EQ(settings->topics.size(), 3U);
  EXPECT_EQ(settings->topics[0].name, "message-log");
  EXPECT_EQ(settings->topics[0].partitions, 6);
  EXPECT_EQ(settings->topics[0].config.at("retention.ms"), "172800000");
  EXPECT_EQ(settings->topics[1].name, "message-boot");
  EXPECT_EQ(settings->topics[2].name, "rule-errors");
  const config::Node* rule = settings->rules.find("report_to_kafka");
  ASSERT_NE(rule, nullptr);
  EXPECT_EQ(rule->find("sql")->text,
            "SELECT *, parse_time(\"yyyy-MM-dd'T'HH:mm:ssz\", timestamp()) as timestamp FROM 'report'\n");
}

TEST(Settings, a_listener_that_asks_who_connects_may_leave_loopback) {
  EXPECT_EQ(problems_of("kafka: {host: 0.0.0.0, sasl.mechanisms: [SCRAM-SHA-256]}"), "ok");
  EXPECT_EQ(problems_of("mqtt: {host: 0.0.0.0, authentication: required}"), "ok");
  EXPECT_NE(problems_of("mqtt.host: 0.0.0.0").find("ask for a log-in"), std::string::npos);
  const std::string files = "tls: {certificate.file: a, key.file: b, client.ca.file: c}\n";
  EXPECT_EQ(problems_of(files + "mqtt.tls: {host: 0.0.0.0, port: 8883, client.certificates: required}"), "ok");
  EXPECT_NE(problems_of(files + "mqtt.tls: {host: 0.0.0.0, port: 8883, client.certificates: requested}"), "ok");
}

TEST(Settings, a_log_in_on_one_listener_is_none_on_another) {
  const std::string http = "http.authentication: required\nsuper.users: [admin]\n";
  EXPECT_EQ(problems_of(http + "http.host: 0.0.0.0"), "ok");
  EXPECT_NE(problems_of(http + "connect.host: 0.0.0.0"), "ok");
  EXPECT_NE(problems_of(http + "ws.host: 0.0.0.0"), "ok");
  EXPECT_EQ(problems_of("mqtt.authentication: required\nws.host: 0.0.0.0"), "ok");
}

TEST(Settings, what_is_missing_for_a_secure_listener_is_named) {
  EXPECT_NE(problems_of("mqtt.tls.port: 8883").find("tls.certificate.file"), std::string::npos);
  EXPECT_NE(problems_of("kafka.tls.client.certificates: required").find("tls.client.ca.file"), std::string::npos);
  EXPECT_NE(problems_of("http.authentication: required").find("super.users"), std::string::npos);
  EXPECT_NE(problems_of("kafka.sasl.mechanisms: [GSSAPI]").find("SCRAM-SHA-512"), std::string::npos);
  EXPECT_NE(problems_of("mqtt.proxies: [lan]").find("10.0.0.0/8"), std::string::npos);
}

TEST(Settings, retention_has_kafkas_precedence) {
  const auto retention = [](std::string_view document) {
    return parse_settings(document, "x")->topic_defaults.retention_ms;
  };
  EXPECT_EQ(retention("log.retention.hours: 48"), 172'800'000);
  EXPECT_EQ(retention("log.retention.hours: -1"), -1);
  EXPECT_EQ(retention("log: {retention: {hours: 48, minutes: 2}}"), 120'000);
  EXPECT_EQ(retention("log: {retention: {hours: 48, minutes: 2, ms: 5s}}"), 5000);
  EXPECT_EQ(retention("log.retention.ms: -1"), -1);
}

TEST(Settings, problems_name_line_and_neighbour) {
  EXPECT_EQ(problems_of("kafka:\n  prot: 9092\n"),
            "millrace.yaml:2: 'kafka.prot' is not a known key, did you mean 'kafka.port'?");
  EXPECT_EQ(problems_of("", {"mqtt.port=70000"}), "'mqtt.port' is 70000, allowed: 0 to 65535, or off");
  EXPECT_EQ(problems_of("topics:\n  - {name: a, partitons: 3}\n"),
            "millrace.yaml:2: 'partitons' is not a known key, did you mean 'partitions'?");
  EXPECT_EQ(problems_of("topics:\n  - name: a\n    config:\n      retntion.ms: 5\n"),
            "millrace.yaml:4: 'retntion.ms' is not a known key, did you mean 'retention.ms'?");
  EXPECT_EQ(problems_of("topics:\n  - {name: a, config: {segment.bytes: 1}}\n"),
            "millrace.yaml:2: Invalid value 1 for configuration segment.bytes: Value must be at least 14");
  EXPECT_EQ(problems_of("topics:\n  - {name: a}\n  - {name: a}\n"),
            "millrace.yaml:3: topic 'a' is already listed in line 2");
  EXPECT_EQ(problems_of("topics:\n  - {name: \"a b\", partitions: 0}\n"),
            "millrace.yaml:2: 'name' is a b, allowed: 1 to 249 letters, digits, '.', '_' and '-'\n"
            "millrace.yaml:2: 'partitions' is 0, allowed: 1 to 10000");
  EXPECT_EQ(problems_of("mqtt.host: localhost\n"),
            "millrace.yaml:1: 'mqtt.host' is localhost, allowed: an IP address (0.0.0.0: every interface)");
  EXPECT_EQ(problems_of("rules: [a]\n"),
            "millrace.yaml:1: 'rules' is a map: the name of a rule, then its sql and actions");
  EXPECT_EQ(problems_of("journal.max.bytes: 32MiB\n"),
            "'journal.max.bytes' must be at least twice 'journal.file.bytes'");
}

TEST(Settings, topic_configs_take_units) {
  const auto settings =
      parse_settings("topics:\n  - {name: a, config: {retention.ms: 48h, segment.bytes: 64MiB}}\n", "x");
  ASSERT_TRUE(settings.has_value()) << settings.error().message();
  EXPECT_EQ(settings->topics[0].config.at("retention.ms"), "172800000");
  EXPECT_EQ(settings->topics[0].config.at("segment.bytes"), "67108864");
}

TEST(Settings, a_file_that_is_not_there_is_an_error) {
  const auto settings = load_settings("/nonexistent/millrace.yaml");
  ASSERT_FALSE(settings.has_value());
  EXPECT_EQ(settings.error().code, ErrorCode::not_found);
  EXPECT_NE(settings.error().detail.find("/nonexistent/millrace.yaml"), std::string::npos);
}

TEST(Settings, anonymous_listeners_stay_on_loopback_unless_told_in_words) {
  const std::string refusal = problems_of("mqtt:\n  host: 0.0.0.0\n");
  EXPECT_TRUE(refusal.starts_with("millrace.yaml:2: 'mqtt.host' is 0.0.0.0: ")) << refusal;
  EXPECT_NE(refusal.find("allow_anonymous_remote: true"), std::string::npos);
  EXPECT_EQ(problems_of("mqtt.host: 0.0.0.0\nallow_anonymous_remote: true\n"), "ok");
  EXPECT_EQ(problems_of("mqtt.host: 0.0.0.0\nmqtt.port: off\n"), "ok");
  EXPECT_EQ(problems_of("http.host: \"::1\"\n"), "ok");
  EXPECT_NE(problems_of("kafka.host: \"::\"\n"), "ok");
}

TEST(Settings, listeners_can_be_off_and_ports_free) {
  const auto settings = parse_settings("mqtt.port: off\nkafka.port: 0\n", "x");
  ASSERT_TRUE(settings.has_value());
  EXPECT_FALSE(settings->mqtt_listener.address().has_value());
  EXPECT_EQ(settings->kafka_listener.address()->port, 0);
}

TEST(Settings, printed_settings_read_back_the_same) {
  const auto settings = load_settings(MILLRACE_SOURCE_DIR "/examples/scenario-a.yaml", {"mqtt.port=off", "loops=3"});
  ASSERT_TRUE(settings.has_value());
  const std::string text = print_settings(*settings);
  const auto again = parse_settings(text, "printed");
  ASSERT_TRUE(again.has_value()) << again.error().message() << "\n" << text;
  EXPECT_EQ(print_settings(*again), text);
  EXPECT_EQ(again->topics.size(), 3U);
  EXPECT_EQ(again->loops, 3);
  EXPECT_FALSE(again->mqtt_listener.port.has_value());
}

// docs/configuration.md is generated; MILLRACE_UPDATE=1 writes it anew.
TEST(Settings, the_reference_page_is_the_one_in_docs) {
  const std::string path = MILLRACE_SOURCE_DIR "/docs/configuration.md";
  if (std::getenv("MILLRACE_UPDATE") != nullptr) std::ofstream(path, std::ios::binary) << settings_reference();
  EXPECT_EQ(file_text(path), settings_reference())
      << "run app_test with MILLRACE_UPDATE=1 and commit docs/configuration.md";
}

}  // namespace
}  // namespace millrace::app
