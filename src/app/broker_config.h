// The settings as Kafka's tools see them (DescribeConfigs of the broker).
#pragma once

#include "app/settings.h"
#include "kafka/server/broker_config.h"

namespace millrace::app {

/// Every row of the schema, and what Kafka's tools ask for under names of their own.
kafka::BrokerConfig broker_config(const Settings& settings);

}  // namespace millrace::app
