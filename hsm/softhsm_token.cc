// CreateSoftHsmToken: the token that `agentca init` makes when no module is named.
#include <openssl/crypto.h>

#include <array>
#include <system_error>

#include "hsm/pkcs11_module.h"
#include "hsm/private_file.h"

namespace agentca::hsm {
namespace {

namespace fs = std::filesystem;

Result<fs::path> FindSoftHsm() {
  constexpr std::array kPlaces = {
      "/usr/lib/softhsm/libsofthsm2.so",   "/usr/local/lib/softhsm/libsofthsm2.so",
      "/usr/lib64/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so",
      "/usr/lib/pkcs11/libsofthsm2.so",
  };
  std::error_code ignored;
  for (const char* place : kPlaces) {
    if (fs::exists(place, ignored)) return fs::path(place);
  }
  return Error{Code::kUnavailable, "SoftHSM2 is not installed (package softhsm2)"};
}

// 128 random bits in hexadecimal: every token takes those characters.
Secret RandomPin(Random& random) {
  std::array<uint8_t, 16> octets{};
  random.Fill(octets);
  std::string text = ToHex(octets);
  Secret pin(ToBytes(AsBytes(text)));
  OPENSSL_cleanse(octets.data(), octets.size());
  OPENSSL_cleanse(text.data(), text.size());
  return pin;
}

Result<TokenName> InitialiseToken(const std::shared_ptr<Module>& module, const std::string& label,
                                  const Secret& so_pin, const Secret& user_pin) {
  const auto pin = [](const Secret& secret) { return const_cast<uint8_t*>(secret.view().data()); };
  const auto size = [](const Secret& secret) { return CK_ULONG{secret.view().size()}; };
  AGENTCA_ASSIGN(const auto slots, module->Slots(false));
  if (slots.empty()) return Error{Code::kUnavailable, "the module offers no slot"};
  std::array<uint8_t, 32> padded;
  padded.fill(' ');
  std::copy(label.begin(), label.end(), padded.begin());
  CK_RV rv = module->call().C_InitToken(slots.back(), pin(so_pin), size(so_pin), padded.data());
  if (rv != CKR_OK) return Pkcs11Error(Code::kUnavailable, "C_InitToken", rv);
  AGENTCA_ASSIGN(TokenName name, FindToken(*module, label, ""));
  AGENTCA_ASSIGN(const auto session, Session::Open(module, name.slot, Token::Access::kReadWrite));
  rv = module->call().C_Login(session->handle(), CKU_SO, pin(so_pin), size(so_pin));
  if (rv != CKR_OK) return Pkcs11Error(Code::kUnavailable, "C_Login", rv);
  rv = module->call().C_InitPIN(session->handle(), pin(user_pin), size(user_pin));
  if (rv != CKR_OK) return Pkcs11Error(Code::kUnavailable, "C_InitPIN", rv);
  return name;
}

Result<TokenOptions> Create(const fs::path& directory, const std::string& label, Random& random) {
  AGENTCA_ASSIGN(fs::path module_file, FindSoftHsm());
  TokenOptions options{.module = std::move(module_file),
                       .label = label,
                       .serial = {},
                       .pin_file = directory / "user.pin",
                       .softhsm2_conf = directory / "softhsm2.conf"};
  const std::string conf = "directories.tokendir = " + (directory / "tokens").string() +
                           "\nobjectstore.backend = file\nlog.level = ERROR\n"
                           "slots.removable = false\n";
  const Secret user_pin = RandomPin(random);
  const Secret so_pin = RandomPin(random);
  AGENTCA_TRY(CreatePrivateFile(options.softhsm2_conf, AsBytes(conf)));
  AGENTCA_TRY(CreatePrivateFile(options.pin_file, user_pin.view()));
  AGENTCA_TRY(CreatePrivateFile(directory / "so.pin", so_pin.view()));
  AGENTCA_ASSIGN(const auto module, Module::Load(options.module, options.softhsm2_conf));
  if (!module->initialised_here()) {
    return Error{Code::kConflict, "the PKCS#11 module is in use in this process already"};
  }
  AGENTCA_ASSIGN(const TokenName name, InitialiseToken(module, label, so_pin, user_pin));
  options.serial = name.serial;
  return options;
}

}  // namespace

Result<TokenOptions> CreateSoftHsmToken(const fs::path& directory, const std::string& label,
                                        Random& random) {
  constexpr size_t kMaxLabel = 32;  // CK_TOKEN_INFO
  if (label.empty() || label.size() > kMaxLabel || label.ends_with(' ')) {
    return Error{Code::kMalformed, "a token label has 1 to 32 octets and no blank at its end"};
  }
  std::error_code failure;
  const fs::path absolute = fs::absolute(directory, failure);
  for (const char* name : {"tokens", "softhsm2.conf", "user.pin", "so.pin"}) {
    if (fs::exists(absolute / name, failure)) {
      return Error{Code::kConflict, absolute.string() + " holds a token already"};
    }
  }
  const bool existed = fs::exists(absolute, failure);
  fs::create_directories(absolute / "tokens", failure);
  if (!failure) fs::permissions(absolute, fs::perms::owner_all, failure);
  if (!failure) fs::permissions(absolute / "tokens", fs::perms::owner_all, failure);
  if (failure) {
    return Error{Code::kUnavailable, "cannot make " + absolute.string() + ": " + failure.message()};
  }
  auto created = Create(absolute, label, random);
  if (!created.ok()) {
    for (const char* name : {"tokens", "softhsm2.conf", "user.pin", "so.pin"}) {
      fs::remove_all(absolute / name, failure);
    }
    if (!existed) fs::remove(absolute, failure);
  }
  return created;
}

}  // namespace agentca::hsm
