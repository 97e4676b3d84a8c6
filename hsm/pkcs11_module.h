// A loaded PKCS#11 module and one session of it: what hsm/ shares of the raw interface.
#pragma once

#include <p11-kit/pkcs11.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ca/base/bytes.h"
#include "hsm/pkcs11.h"

namespace agentca::hsm {

// "CKR_PIN_INCORRECT"; hexadecimal for values without a name in PKCS#11 2.40.
std::string CkrName(CK_RV rv);
// An error that says which call failed and how.
Error Pkcs11Error(Code code, std::string_view call, CK_RV rv);

// dlopen, C_GetFunctionList and C_Initialize. libp11 may have initialised the same module in this
// process: then it is left initialised at the end, as libp11 finalises it. Thread-safe.
class Module {
 public:
  // Sets SOFTHSM2_CONF first when `softhsm2_conf` is not empty. kUnavailable.
  static Result<std::shared_ptr<Module>> Load(const std::filesystem::path& file,
                                              const std::filesystem::path& softhsm2_conf);
  ~Module();
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  const CK_FUNCTION_LIST& call() const { return *functions_; }
  bool initialised_here() const { return initialised_here_; }
  Result<std::vector<CK_SLOT_ID>> Slots(bool with_token_only) const;

 private:
  explicit Module(void* handle) : handle_(handle) {}
  void* handle_;
  CK_FUNCTION_LIST* functions_ = nullptr;
  bool initialised_here_ = false;
};

// Label and serial of a token without the blanks PKCS#11 pads them with.
struct TokenName {
  CK_SLOT_ID slot;
  std::string label;
  std::string serial;
};
// The one initialised token that `label` and `serial` (empty: any) name. kUnavailable: none;
// kConflict: several.
Result<TokenName> FindToken(const Module& module, std::string_view label, std::string_view serial);

// An open session; closed with the object. Never logs out: login belongs to the whole process.
class Session {
 public:
  static Result<std::unique_ptr<Session>> Open(std::shared_ptr<Module> module, CK_SLOT_ID slot,
                                               Token::Access access);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const CK_FUNCTION_LIST& call() const { return module_->call(); }
  CK_SESSION_HANDLE handle() const { return handle_; }

 private:
  Session(std::shared_ptr<Module> module, CK_SESSION_HANDLE handle)
      : module_(std::move(module)), handle_(handle) {}
  std::shared_ptr<Module> module_;
  CK_SESSION_HANDLE handle_;
};

// The first line of a PIN file. kUnavailable: not there, empty, or open to others.
Result<Secret> ReadPin(const std::filesystem::path& file);

}  // namespace agentca::hsm
