#include "net/ticket_keys.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include <algorithm>

#include "base/assert.h"

namespace millrace::net {
namespace {

template <std::size_t Size>
void draw(std::array<std::uint8_t, Size>& bytes) {
  const int drawn = RAND_bytes(bytes.data(), static_cast<int>(bytes.size()));
  MR_ASSERT(drawn == 1);
}

void wipe(TicketKeys::Key& key) {
  OPENSSL_cleanse(key.cipher.data(), key.cipher.size());
  OPENSSL_cleanse(key.mac.data(), key.mac.size());
}

using Attached = std::shared_ptr<TicketKeys>;

void free_attached(void*, void* attached, CRYPTO_EX_DATA*, int, long, void*) {
  delete static_cast<Attached*>(attached);
}

int place() {
  static const int index =
      CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL_CTX, 0, nullptr, nullptr, nullptr, free_attached);
  return index;
}

bool set_mac(EVP_MAC_CTX* context, TicketKeys::Key& key) {
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.mac.data(), key.mac.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
  return EVP_MAC_CTX_set_params(context, parameters) == 1;
}

// SSL_CTX_set_tlsext_ticket_key_evp_cb(3): 0: no such key, a full handshake; 1: good; 2: good, and a new ticket.
int choose_key(SSL* session, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
               int sealing) {
  TicketKeys& keys = *TicketKeys::of(SSL_get_SSL_CTX(session));
  TicketKeys::Found use;
  if (sealing == 1) {
    use.key = keys.current();
    std::ranges::copy(use.key.name, name);
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return -1;
  } else {
    TicketKeys::Name asked;
    std::copy_n(name, asked.size(), asked.begin());
    auto found = keys.find(asked);
    if (!found) return 0;
    use = *found;
    use.renew = use.renew || SSL_version(session) >= TLS1_3_VERSION;  // there a ticket is good for once (RFC 8446, C.4)
    wipe(found->key);
  }
  const bool good = set_mac(mac, use.key) && EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), nullptr,
                                                               use.key.cipher.data(), iv, sealing == 1 ? 1 : 0) == 1;
  wipe(use.key);
  return !good ? -1 : use.renew ? 2 : 1;
}

}  // namespace

TicketKeys::TicketKeys(const Clock& clock) : clock_(clock) {
  state_.with([&](State& state) { turn(state); });
}

TicketKeys::~TicketKeys() {
  state_.with([](State& state) {
    wipe(state.now);
    if (state.before) wipe(*state.before);
  });
}

// A key that has not been asked for when its time was over is as old as its period says, not as young as the last look.
void TicketKeys::turn(State& state) const {
  const MonoTime now = clock_.mono();
  const bool first = state.now.name == Name{};
  if (!first && now < state.now.since + kPeriod) return;
  if (state.before) wipe(*state.before);
  state.before.reset();
  if (!first && now < state.now.since + 2 * kPeriod) state.before = state.now;
  draw(state.now.name);
  draw(state.now.cipher);
  draw(state.now.mac);
  state.now.since = now;
}

TicketKeys::Key TicketKeys::current() {
  return state_.with([&](State& state) {
    turn(state);
    return state.now;
  });
}

std::optional<TicketKeys::Found> TicketKeys::find(const Name& name) {
  return state_.with([&](State& state) -> std::optional<Found> {
    turn(state);
    if (name == state.now.name) return Found{state.now, false};
    if (state.before && name == state.before->name && clock_.mono() < state.before->since + 2 * kPeriod) {
      return Found{*state.before, true};
    }
    return std::nullopt;
  });
}

void TicketKeys::attach(ssl_ctx_st* context, std::shared_ptr<TicketKeys> keys) {
  delete static_cast<Attached*>(SSL_CTX_get_ex_data(context, place()));
  SSL_CTX_set_ex_data(context, place(), new Attached(std::move(keys)));
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, choose_key);
  SSL_CTX_set_timeout(context, static_cast<long>(kPeriod.count()));
}

std::shared_ptr<TicketKeys> TicketKeys::of(ssl_ctx_st* context) {
  return *static_cast<Attached*>(SSL_CTX_get_ex_data(context, place()));
}

}  // namespace millrace::net
