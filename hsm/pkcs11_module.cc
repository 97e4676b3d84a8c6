#include "hsm/pkcs11_module.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "ca/base/file.h"

namespace agentca::hsm {
namespace {

struct RvName {
  CK_RV rv;
  std::string_view name;
};
#define AGENTCA_RV(name) \
  RvName { name, #name }
constexpr auto kRvNames = std::to_array<RvName>({
    AGENTCA_RV(CKR_OK),
    AGENTCA_RV(CKR_HOST_MEMORY),
    AGENTCA_RV(CKR_SLOT_ID_INVALID),
    AGENTCA_RV(CKR_GENERAL_ERROR),
    AGENTCA_RV(CKR_FUNCTION_FAILED),
    AGENTCA_RV(CKR_ARGUMENTS_BAD),
    AGENTCA_RV(CKR_CANT_LOCK),
    AGENTCA_RV(CKR_ATTRIBUTE_READ_ONLY),
    AGENTCA_RV(CKR_ATTRIBUTE_SENSITIVE),
    AGENTCA_RV(CKR_ATTRIBUTE_TYPE_INVALID),
    AGENTCA_RV(CKR_ATTRIBUTE_VALUE_INVALID),
    AGENTCA_RV(CKR_DEVICE_ERROR),
    AGENTCA_RV(CKR_DEVICE_MEMORY),
    AGENTCA_RV(CKR_DEVICE_REMOVED),
    AGENTCA_RV(CKR_FUNCTION_NOT_SUPPORTED),
    AGENTCA_RV(CKR_KEY_HANDLE_INVALID),
    AGENTCA_RV(CKR_KEY_SIZE_RANGE),
    AGENTCA_RV(CKR_MECHANISM_INVALID),
    AGENTCA_RV(CKR_MECHANISM_PARAM_INVALID),
    AGENTCA_RV(CKR_OBJECT_HANDLE_INVALID),
    AGENTCA_RV(CKR_OPERATION_ACTIVE),
    AGENTCA_RV(CKR_PIN_INCORRECT),
    AGENTCA_RV(CKR_PIN_INVALID),
    AGENTCA_RV(CKR_PIN_LEN_RANGE),
    AGENTCA_RV(CKR_PIN_EXPIRED),
    AGENTCA_RV(CKR_PIN_LOCKED),
    AGENTCA_RV(CKR_SESSION_CLOSED),
    AGENTCA_RV(CKR_SESSION_COUNT),
    AGENTCA_RV(CKR_SESSION_HANDLE_INVALID),
    AGENTCA_RV(CKR_SESSION_READ_ONLY),
    AGENTCA_RV(CKR_TEMPLATE_INCOMPLETE),
    AGENTCA_RV(CKR_TEMPLATE_INCONSISTENT),
    AGENTCA_RV(CKR_TOKEN_NOT_PRESENT),
    AGENTCA_RV(CKR_TOKEN_NOT_RECOGNIZED),
    AGENTCA_RV(CKR_TOKEN_WRITE_PROTECTED),
    AGENTCA_RV(CKR_USER_ALREADY_LOGGED_IN),
    AGENTCA_RV(CKR_USER_NOT_LOGGED_IN),
    AGENTCA_RV(CKR_USER_PIN_NOT_INITIALIZED),
    AGENTCA_RV(CKR_USER_TYPE_INVALID),
    AGENTCA_RV(CKR_DOMAIN_PARAMS_INVALID),
    AGENTCA_RV(CKR_BUFFER_TOO_SMALL),
    AGENTCA_RV(CKR_CRYPTOKI_NOT_INITIALIZED),
    AGENTCA_RV(CKR_CRYPTOKI_ALREADY_INITIALIZED),
});
#undef AGENTCA_RV

template <size_t N>
std::string Unpadded(const unsigned char (&field)[N]) {
  std::string text(std::begin(field), std::end(field));
  text.resize(text.find_last_not_of(std::string_view(" \0", 2)) + 1);
  return text;
}

}  // namespace

std::string CkrName(CK_RV rv) {
  const auto row =
      std::find_if(kRvNames.begin(), kRvNames.end(), [&](const RvName& r) { return r.rv == rv; });
  if (row != kRvNames.end()) return std::string(row->name);
  std::array<uint8_t, 4> octets{};
  for (size_t i = 0; i < 4; ++i) octets[i] = static_cast<uint8_t>(rv >> (24 - 8 * i));
  return "CKR 0x" + ToHex(octets);
}

Error Pkcs11Error(Code code, std::string_view call, CK_RV rv) {
  return {code, "PKCS#11 " + std::string(call) + ": " + CkrName(rv)};
}

Result<std::shared_ptr<Module>> Module::Load(const std::filesystem::path& file,
                                             const std::filesystem::path& softhsm2_conf) {
  if (!softhsm2_conf.empty()) setenv("SOFTHSM2_CONF", softhsm2_conf.c_str(), 1);
  void* handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* reason = dlerror();
    return Error{Code::kUnavailable, "cannot load PKCS#11 module " + file.string() + ": " +
                                         (reason != nullptr ? reason : "no reason given")};
  }
  std::shared_ptr<Module> module(new Module(handle));
  const auto get_functions =
      reinterpret_cast<CK_C_GetFunctionList>(dlsym(handle, "C_GetFunctionList"));
  if (get_functions == nullptr || get_functions(&module->functions_) != CKR_OK ||
      module->functions_ == nullptr) {
    return Error{Code::kUnavailable, file.string() + " is not a PKCS#11 module"};
  }
  CK_C_INITIALIZE_ARGS arguments{};
  arguments.flags = CKF_OS_LOCKING_OK;
  const CK_RV rv = module->functions_->C_Initialize(&arguments);
  if (rv != CKR_OK && rv != CKR_CRYPTOKI_ALREADY_INITIALIZED) {
    return Pkcs11Error(Code::kUnavailable, "C_Initialize", rv);
  }
  module->initialised_here_ = rv == CKR_OK;
  return module;
}

Module::~Module() {
  if (initialised_here_) functions_->C_Finalize(nullptr);
  dlclose(handle_);
}

Result<std::vector<CK_SLOT_ID>> Module::Slots(bool with_token_only) const {
  const CK_BBOOL present = with_token_only ? CK_TRUE : CK_FALSE;
  for (;;) {
    CK_ULONG count = 0;
    CK_RV rv = functions_->C_GetSlotList(present, nullptr, &count);
    if (rv != CKR_OK) return Pkcs11Error(Code::kUnavailable, "C_GetSlotList", rv);
    std::vector<CK_SLOT_ID> slots(count);
    if (slots.empty()) return slots;
    rv = functions_->C_GetSlotList(present, slots.data(), &count);
    if (rv == CKR_BUFFER_TOO_SMALL) continue;  // a token came between the two calls
    if (rv != CKR_OK) return Pkcs11Error(Code::kUnavailable, "C_GetSlotList", rv);
    slots.resize(count);
    return slots;
  }
}

Result<TokenName> FindToken(const Module& module, std::string_view label, std::string_view serial) {
  AGENTCA_ASSIGN(const std::vector<CK_SLOT_ID> slots, module.Slots(true));
  std::vector<TokenName> matches;
  for (const CK_SLOT_ID slot : slots) {
    CK_TOKEN_INFO info{};
    if (module.call().C_GetTokenInfo(slot, &info) != CKR_OK) continue;
    if ((info.flags & CKF_TOKEN_INITIALIZED) == 0) continue;
    TokenName name{slot, Unpadded(info.label), Unpadded(info.serialNumber)};
    const bool matched =
        (label.empty() || name.label == label) && (serial.empty() || name.serial == serial);
    if (matched) matches.push_back(std::move(name));
  }
  const std::string wanted = "token \"" + std::string(label) + "\"" +
                             (serial.empty() ? "" : " with serial " + std::string(serial));
  if (matches.empty()) return Error{Code::kUnavailable, "there is no " + wanted};
  if (matches.size() > 1) {
    std::string serials;
    for (const TokenName& match : matches) serials += " " + match.serial;
    return Error{Code::kConflict,
                 "there is more than one " + wanted + ": name its serial, one of" + serials};
  }
  return matches.front();
}

Result<std::unique_ptr<Session>> Session::Open(std::shared_ptr<Module> module, CK_SLOT_ID slot,
                                               Token::Access access) {
  const CK_FLAGS flags =
      CKF_SERIAL_SESSION | (access == Token::Access::kReadWrite ? CKF_RW_SESSION : CK_FLAGS{0});
  CK_SESSION_HANDLE handle = 0;
  const CK_RV rv = module->call().C_OpenSession(slot, flags, nullptr, nullptr, &handle);
  if (rv != CKR_OK) return Pkcs11Error(Code::kUnavailable, "C_OpenSession", rv);
  return std::unique_ptr<Session>(new Session(std::move(module), handle));
}

Session::~Session() { call().C_CloseSession(handle_); }

Result<Secret> ReadPin(const std::filesystem::path& file) {
  const FileDescriptor fd(open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd.valid()) {
    return Error{Code::kUnavailable,
                 "cannot read PIN file " + file.string() + ": " + std::strerror(errno)};
  }
  struct stat info {};
  std::array<uint8_t, 512> buffer{};
  // Group read is let pass: systemd's LoadCredential= grants access by an ACL, whose mask shows
  // there.
  const bool closed = fstat(fd.get(), &info) == 0 && S_ISREG(info.st_mode) &&
                      (info.st_mode & (S_IWGRP | S_IRWXO)) == 0 &&
                      (info.st_uid == geteuid() || info.st_uid == 0);
  const ssize_t count = closed ? read(fd.get(), buffer.data(), buffer.size()) : 0;
  if (!closed) {
    return Error{Code::kUnavailable, "PIN file " + file.string() +
                                         " is not a file of ours that is "
                                         "closed to others (chmod 600)"};
  }
  const auto used = static_cast<size_t>(std::max<ssize_t>(count, 0));
  const auto end = std::find_if(buffer.begin(), buffer.begin() + used,
                                [](uint8_t c) { return c == '\n' || c == '\r'; });
  Secret pin(Bytes(buffer.begin(), end));
  OPENSSL_cleanse(buffer.data(), buffer.size());
  if (pin.empty()) return Error{Code::kUnavailable, "PIN file " + file.string() + " is empty"};
  return pin;
}

}  // namespace agentca::hsm
