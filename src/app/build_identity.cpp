#include "app/build_identity.h"

#include "app/build_commit.h"  // generated

namespace millrace::app {

metrics::BuildIdentity build_identity() {
  return {.version = MILLRACE_VERSION, .commit = MILLRACE_COMMIT};
}

}  // namespace millrace::app
