// DescribeLogDirs (KIP-113; KIP-827 for the volume): one directory that holds every partition.
#include "kafka/protocol/messages/describe_log_dirs.h"

#include <algorithm>

#include "kafka/server/authorization.h"
#include "kafka/server/endpoint.h"
#include "kafka/server/served_apis.h"
#include "kafka/server/topic_lookup.h"

namespace millrace::kafka {
namespace {

using Directory = DescribeLogDirsResponse::DescribeLogDirsResult;

void add_partition(Directory& directory, std::string_view topic, std::int32_t index,
                   const topics::Partition& partition) {
  if (directory.topics.empty() || directory.topics.back().name != topic) directory.topics.emplace_back().name = topic;
  directory.topics.back().partitions.push_back(
      {.partition_index = index, .partition_size = static_cast<std::int64_t>(partition.size_bytes())});
}

}  // namespace

void handle_describe_log_dirs(Endpoint& endpoint, Request request) {
  const auto message = request.decode<DescribeLogDirsRequest>();
  if (!message) return request.malformed(message.error());
  const auto& table = endpoint.table();
  const ServerSettings& settings = endpoint.settings();
  DescribeLogDirsResponse response;
  if (!may_cluster(request, AclOperation::describe)) {
    response.error_code = code(KafkaError::cluster_authorization_failed);  // up to version 2: no directory, no word
    return request.respond(response);
  }
  Directory& directory = response.results.emplace_back();
  directory.log_dir = settings.log_dir;
  if (settings.volume) {
    const VolumeSpace space = settings.volume();
    directory.total_bytes = space.total_bytes;
    directory.usable_bytes = space.usable_bytes;
  }
  if (message->topics) {
    for (const auto& asked : *message->topics) {
      for (const std::int32_t index : asked.partitions) {
        const auto partition = find_partition(table->find(asked.topic), index);
        if (partition != nullptr) add_partition(directory, asked.topic, index, *partition);
      }
    }
  } else {
    for (const auto& [name, topic] : table->topics) {
      for (std::size_t i = 0; i < topic->partitions.size(); ++i) {
        add_partition(directory, name, static_cast<std::int32_t>(i), *topic->partitions[i]);
      }
    }
    std::ranges::sort(directory.topics, {}, &DescribeLogDirsResponse::DescribeLogDirsTopic::name);
  }
  request.respond(response);
}

}  // namespace millrace::kafka
