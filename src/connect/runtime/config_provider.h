// Config providers: values of a configuration that stand elsewhere, named by references ${alias:path:key} or
// ${alias:key}. They are resolved when a task starts and never written back, so GET shows the reference, not the
// secret.
//
// The aliases are those everybody uses, under Kafka's classes:
//   file       org.apache.kafka.common.config.provider.FileConfigProvider ${file:/etc/secrets.properties:password}
//   directory  org.apache.kafka.common.config.provider.DirectoryConfigProvider   ${directory:/run/secrets:password}
//   env        org.apache.kafka.common.config.provider.EnvVarConfigProvider      ${env:PASSWORD}
#pragma once

#include "base/result.h"
#include "connect/runtime/secret_mask.h"
#include "connect/runtime/surroundings.h"
#include "connect/settings/settings.h"

namespace millrace::connect {

/// `config` with every reference replaced. Text that is none stays as it is. Errors: not_found naming key and reference
/// (never a value). `mask` is told every value, if it is there.
Result<ConnectorConfig> resolve(const ConnectorConfig& config, const Surroundings& surroundings,
                                SecretMask* mask = nullptr);

/// The value of `key` in a Java properties file; nullopt: it is not there.
std::optional<std::string> property(std::string_view file, std::string_view key);

}  // namespace millrace::connect
