// Runs a fuzz target over recorded inputs (files and folders given as arguments) and over a few thousand inputs made
// from a fixed seed, so that builds without libFuzzer still execute every target. A missing folder counts as an empty
// corpus.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int argc, char** argv) {
  std::size_t files = 0;
  auto run_file = [&](const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    std::vector<char> bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    ++files;
  };
  for (int i = 1; i < argc; ++i) {
    const std::filesystem::path path = argv[i];
    if (std::filesystem::is_directory(path)) {
      for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
        if (entry.is_regular_file()) run_file(entry.path());
      }
    } else if (std::filesystem::exists(path)) {
      run_file(path);
    }
  }
  std::mt19937_64 random(1);
  std::vector<std::uint8_t> bytes;
  constexpr int kGenerated = 4000;
  for (int i = 0; i < kGenerated; ++i) {
    bytes.resize(random() % 512);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  }
  std::printf("replayed %zu files and %d generated inputs\n", files, kGenerated);
  return 0;
}
