#include "codec/base64.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace millrace {
namespace {

std::string encoded(std::string_view text) {
  std::string out(base64_size(text.size()), '?');
  encode_base64(as_bytes(text), out.data());
  EXPECT_EQ(to_base64(as_bytes(text)), out);
  return out;
}

std::string decoded(std::string_view text) {
  std::vector<std::uint8_t> out(text.size() + 1);
  const auto size = decode_base64(text, out.data());
  return size ? std::string(as_text({out.data(), *size})) : "refused";
}

TEST(Base64, VectorsOfTheRfc) {
  const std::vector<std::pair<std::string, std::string>> vectors = {{"", ""},
                                                                    {"f", "Zg=="},
                                                                    {"fo", "Zm8="},
                                                                    {"foo", "Zm9v"},
                                                                    {"foob", "Zm9vYg=="},
                                                                    {"fooba", "Zm9vYmE="},
                                                                    {"foobar", "Zm9vYmFy"},
                                                                    {"\xFB\xFF", "+/8="}};
  for (const auto& [plain, text] : vectors) {
    EXPECT_EQ(encoded(plain), text);
    EXPECT_EQ(decoded(text), plain);
  }
}

TEST(Base64, RefusesWhatIsNotBase64) {
  for (const char* text : {"Zg", "Zg=", "Z===", "====", "Zg==Zg==", "Zm9 ", "Zm9-", "Zm=v", "Zh==", "Zm9=", "Zm9v\n"}) {
    EXPECT_EQ(decoded(text), "refused") << text;
  }
}

}  // namespace
}  // namespace millrace
