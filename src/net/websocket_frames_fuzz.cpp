// WebSocket frames: in two pieces they give what they give in one, and nothing grows beyond the input.
#include "base/assert.h"
#include "net/websocket_frames.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  using net::WebSocketReader;
  if (size == 0) return 0;
  const ByteView bytes(data + 1, size - 1);
  const std::size_t cut = bytes.empty() ? 0 : data[0] % (bytes.size() + 1);
  WebSocketReader whole;
  Buffer data_whole;
  Buffer answer_whole;
  const auto event = whole.read(bytes, data_whole, answer_whole);
  WebSocketReader pieces;
  Buffer data_pieces;
  Buffer answer_pieces;
  auto event_pieces = pieces.read(bytes.first(cut), data_pieces, answer_pieces);
  if (event_pieces == WebSocketReader::Event::more) {
    event_pieces = pieces.read(bytes.subspan(cut), data_pieces, answer_pieces);
  }
  MR_ASSERT(event == event_pieces);
  MR_ASSERT(as_text(data_whole.view()) == as_text(data_pieces.view()));
  MR_ASSERT(as_text(answer_whole.view()) == as_text(answer_pieces.view()));
  MR_ASSERT(data_whole.size() + answer_whole.size() <= bytes.size() + 4);
  return 0;
}
