// SimNames: the changes of names (made, renamed, removed) that no sync_directory has made durable yet.
//
// A power cut keeps a random part of them in which every change comes with all earlier ones that touch the same name; a
// rename happens whole or not at all. Thread: the simulation's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"
#include "sim/sim_inode.h"

namespace millrace::sim {

class SimNames {
 public:
  using Directory = std::shared_ptr<SimInode>;

  void made(const Directory& in, const std::string& name, const std::shared_ptr<SimInode>& inode);
  void removed(const Directory& from, const std::string& name);
  void renamed(const Directory& from, const std::string& old_name, const Directory& to, const std::string& new_name,
               const std::shared_ptr<SimInode>& inode);
  /// What happened in `directory` is durable; a rename across directories once both are synced.
  void sync(const Directory& directory);
  /// A random part becomes durable, the rest is forgotten.
  void settle_by_chance(Rng& rng);
  void clear() { pending_.clear(); }
  [[nodiscard]] std::size_t pending() const { return pending_.size(); }

 private:
  struct Place {
    Directory directory;  // null: there is none
    std::string name;
    bool synced = true;
    [[nodiscard]] bool same(const Place& other) const {
      return directory != nullptr && directory == other.directory && name == other.name;
    }
  };
  struct Change {
    Place gone;   // a name that ends
    Place there;  // a name that begins
    std::shared_ptr<SimInode> inode;
    [[nodiscard]] bool touches(const Change& other) const;
    [[nodiscard]] bool synced() const { return gone.synced && there.synced; }
  };

  // Adds to `chosen` what it depends on, applies it in order, and takes it out of pending_.
  void apply(std::vector<bool> chosen);

  std::vector<Change> pending_;
};

}  // namespace millrace::sim
