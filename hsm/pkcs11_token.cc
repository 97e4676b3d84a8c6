// Token: administration and checks through the raw PKCS#11 interface.
#include <algorithm>
#include <array>
#include <cstring>

#include "ca/der.h"
#include "hsm/pkcs11_module.h"

namespace agentca::hsm {
namespace {

CK_ATTRIBUTE Flag(CK_ATTRIBUTE_TYPE type, bool value) {
  static CK_BBOOL yes = CK_TRUE;
  static CK_BBOOL no = CK_FALSE;
  return {type, value ? &yes : &no, sizeof(CK_BBOOL)};
}
template <class T>
CK_ATTRIBUTE Octets(CK_ATTRIBUTE_TYPE type, T& value) {  // PKCS#11 wants non-const input
  return {type, const_cast<char*>(reinterpret_cast<const char*>(value.data())),
          static_cast<CK_ULONG>(value.size())};
}
CK_ATTRIBUTE Number(CK_ATTRIBUTE_TYPE type, CK_ULONG& value) {
  return {type, &value, sizeof value};
}

struct KeyPair {
  CK_OBJECT_HANDLE private_key = 0;
  CK_OBJECT_HANDLE public_key = 0;
};

Bytes CurveOid(CaKeyType type) {  // RFC 5480 §2.1.1.1
  return ca::der::Oid(type == CaKeyType::kP384 ? "1.3.132.0.34" : "1.2.840.10045.3.1.7");
}

class Pkcs11Token final : public Token {
 public:
  Pkcs11Token(std::unique_ptr<Session> session, TokenName name)
      : session_(std::move(session)), name_(std::move(name)) {}

  Status Login(const std::filesystem::path& pin_file);
  Result<KeyReport> Generate(CaKeyType type, const std::string& object_label) override;
  Result<KeyReport> Find(const KeyUri& uri) override;
  Status CheckHealth() override;

 private:
  Result<KeyPair> GeneratePair(CaKeyType type, const std::string& label, const Bytes& id);
  Result<std::vector<CK_OBJECT_HANDLE>> FindObjects(CK_OBJECT_CLASS object_class,
                                                    const std::string& label, const Bytes& id);
  Result<Bytes> Read(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type);
  Result<bool> ReadFlag(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, bool if_absent);
  Result<ca::PublicKey> ReadPublicKey(CK_OBJECT_HANDLE object);
  Result<KeyReport> Report(const KeyPair& pair);

  const CK_FUNCTION_LIST& call() const { return session_->call(); }
  CK_SESSION_HANDLE handle() const { return session_->handle(); }

  std::unique_ptr<Session> session_;
  TokenName name_;
  std::vector<CK_OBJECT_HANDLE> found_;  // private keys that were found: CheckHealth looks at them
};

Status Pkcs11Token::Login(const std::filesystem::path& pin_file) {
  AGENTCA_ASSIGN(const Secret pin, ReadPin(pin_file));
  const CK_RV rv = call().C_Login(handle(), CKU_USER, const_cast<uint8_t*>(pin.view().data()),
                                  static_cast<CK_ULONG>(pin.view().size()));
  switch (rv) {
    case CKR_OK:
    case CKR_USER_ALREADY_LOGGED_IN:
      return {};
    case CKR_PIN_INCORRECT:
    case CKR_PIN_INVALID:
    case CKR_PIN_LEN_RANGE:
    case CKR_PIN_EXPIRED:
    case CKR_PIN_LOCKED:
      return Error{Code::kUnauthorized, "token \"" + name_.label + "\" refuses the PIN of " +
                                            pin_file.string() + ": " + CkrName(rv)};
    default:
      return Pkcs11Error(Code::kUnavailable, "C_Login", rv);
  }
}

Result<KeyReport> Pkcs11Token::Generate(CaKeyType type, const std::string& object_label) {
  AGENTCA_ASSIGN(const auto present, FindObjects(CKO_PRIVATE_KEY, object_label, {}));
  if (!present.empty()) {
    return Error{Code::kConflict, "the token has a key \"" + object_label + "\" already"};
  }
  Bytes id(16);
  const CK_RV random = call().C_GenerateRandom(handle(), id.data(), id.size());
  if (random != CKR_OK) return Pkcs11Error(Code::kUnavailable, "C_GenerateRandom", random);
  AGENTCA_ASSIGN(const KeyPair pair, GeneratePair(type, object_label, id));
  auto report = Report(pair);
  const bool good = report.ok() && report->Faults().empty();
  if (good) {
    found_.push_back(pair.private_key);
    return report;
  }
  call().C_DestroyObject(handle(), pair.private_key);
  call().C_DestroyObject(handle(), pair.public_key);
  if (!report.ok()) return report;
  return Error{Code::kInternal, "the token made a key \"" + object_label + "\" that is " +
                                    report->Faults().front() + "; it was destroyed"};
}

Result<KeyPair> Pkcs11Token::GeneratePair(CaKeyType type, const std::string& label,
                                          const Bytes& id) {
  const Bytes curve = CurveOid(type);
  const Bytes exponent = {1, 0, 1};
  CK_ULONG modulus_bits = 3072;
  std::vector<CK_ATTRIBUTE> public_template = {
      Flag(CKA_TOKEN, true),    Flag(CKA_PRIVATE, false), Flag(CKA_VERIFY, true),
      Flag(CKA_ENCRYPT, false), Flag(CKA_WRAP, false),    Octets(CKA_LABEL, label),
      Octets(CKA_ID, id),
  };
  if (type == CaKeyType::kRsa3072) {
    public_template.push_back(Number(CKA_MODULUS_BITS, modulus_bits));
    public_template.push_back(Octets(CKA_PUBLIC_EXPONENT, exponent));
  } else {
    public_template.push_back(Octets(CKA_EC_PARAMS, curve));
  }
  std::vector<CK_ATTRIBUTE> private_template = {
      Flag(CKA_TOKEN, true),        Flag(CKA_PRIVATE, true), Flag(CKA_SENSITIVE, true),
      Flag(CKA_EXTRACTABLE, false), Flag(CKA_SIGN, true),    Flag(CKA_DECRYPT, false),
      Flag(CKA_UNWRAP, false),      Flag(CKA_DERIVE, false), Flag(CKA_SIGN_RECOVER, false),
      Octets(CKA_LABEL, label),     Octets(CKA_ID, id),
  };
  CK_MECHANISM mechanism{type == CaKeyType::kRsa3072 ? CK_MECHANISM_TYPE{CKM_RSA_PKCS_KEY_PAIR_GEN}
                                                     : CK_MECHANISM_TYPE{CKM_EC_KEY_PAIR_GEN},
                         nullptr, 0};
  KeyPair pair;
  const CK_RV rv = call().C_GenerateKeyPair(
      handle(), &mechanism, public_template.data(), public_template.size(), private_template.data(),
      private_template.size(), &pair.public_key, &pair.private_key);
  if (rv != CKR_OK) return Pkcs11Error(Code::kInternal, "C_GenerateKeyPair", rv);
  return pair;
}

Result<std::vector<CK_OBJECT_HANDLE>> Pkcs11Token::FindObjects(CK_OBJECT_CLASS object_class,
                                                               const std::string& label,
                                                               const Bytes& id) {
  std::vector<CK_ATTRIBUTE> wanted = {Number(CKA_CLASS, object_class)};
  if (!label.empty()) wanted.push_back(Octets(CKA_LABEL, label));
  if (!id.empty()) wanted.push_back(Octets(CKA_ID, id));
  CK_RV rv = call().C_FindObjectsInit(handle(), wanted.data(), wanted.size());
  if (rv != CKR_OK) return Pkcs11Error(Code::kUnavailable, "C_FindObjectsInit", rv);
  std::array<CK_OBJECT_HANDLE, 16> objects{};  // more than one is an error already
  CK_ULONG count = 0;
  rv = call().C_FindObjects(handle(), objects.data(), objects.size(), &count);
  call().C_FindObjectsFinal(handle());
  if (rv != CKR_OK) return Pkcs11Error(Code::kUnavailable, "C_FindObjects", rv);
  return std::vector<CK_OBJECT_HANDLE>(objects.begin(), objects.begin() + count);
}

Result<Bytes> Pkcs11Token::Read(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) {
  CK_ATTRIBUTE attribute{type, nullptr, 0};
  CK_RV rv = call().C_GetAttributeValue(handle(), object, &attribute, 1);
  if (rv != CKR_OK || attribute.ulValueLen == CK_UNAVAILABLE_INFORMATION) {
    return Pkcs11Error(Code::kUnavailable, "C_GetAttributeValue", rv);
  }
  Bytes value(attribute.ulValueLen);
  attribute.pValue = value.data();
  rv = call().C_GetAttributeValue(handle(), object, &attribute, 1);
  if (rv != CKR_OK) return Pkcs11Error(Code::kUnavailable, "C_GetAttributeValue", rv);
  value.resize(attribute.ulValueLen);
  return value;
}

// A token that does not know the attribute is judged by `if_absent`; one that fails to answer is
// not judged at all.
Result<bool> Pkcs11Token::ReadFlag(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
                                   bool if_absent) {
  CK_BBOOL value = CK_FALSE;
  CK_ATTRIBUTE attribute{type, &value, sizeof value};
  const CK_RV rv = call().C_GetAttributeValue(handle(), object, &attribute, 1);
  if (rv == CKR_ATTRIBUTE_TYPE_INVALID) return if_absent;
  if (rv != CKR_OK) return Pkcs11Error(Code::kUnavailable, "C_GetAttributeValue", rv);
  return attribute.ulValueLen == sizeof value ? value != CK_FALSE : if_absent;
}

Result<ca::PublicKey> Pkcs11Token::ReadPublicKey(CK_OBJECT_HANDLE object) {
  AGENTCA_ASSIGN(const Bytes raw_type, Read(object, CKA_KEY_TYPE));
  CK_KEY_TYPE type = CK_UNAVAILABLE_INFORMATION;
  if (raw_type.size() == sizeof type) std::memcpy(&type, raw_type.data(), sizeof type);
  if (type == CKK_RSA) {
    AGENTCA_ASSIGN(const Bytes modulus, Read(object, CKA_MODULUS));
    AGENTCA_ASSIGN(const Bytes exponent, Read(object, CKA_PUBLIC_EXPONENT));
    return ca::PublicKey::FromRsa(modulus, exponent);
  }
  if (type != CKK_EC) return Error{Code::kBadPublicKey, "the token's key is neither EC nor RSA"};
  AGENTCA_ASSIGN(const Bytes curve, Read(object, CKA_EC_PARAMS));
  AGENTCA_ASSIGN(const Bytes value, Read(object, CKA_EC_POINT));
  const bool p256 = curve == CurveOid(CaKeyType::kP256);
  if (!p256 && curve != CurveOid(CaKeyType::kP384)) {
    return Error{Code::kBadPublicKey, "the token's key is on neither P-256 nor P-384"};
  }
  // PKCS#11 2.40 §2.3.3: CKA_EC_POINT is the DER OCTET STRING of the point; old tokens give it
  // bare.
  const size_t width = p256 ? 32 : 48;
  const ByteView point = ByteView(value).last(std::min(value.size(), 1 + 2 * width));
  const bool known_form = value == ca::der::OctetString(point) || value.size() == point.size();
  if (!known_form || point.size() != 1 + 2 * width || point[0] != 0x04) {
    return Error{Code::kBadPublicKey, "the token's EC point is not an uncompressed one"};
  }
  return ca::PublicKey::FromEcPoint(p256 ? ca::KeyType::kP256 : ca::KeyType::kP384,
                                    point.subspan(1, width), point.subspan(1 + width));
}

Result<KeyReport> Pkcs11Token::Report(const KeyPair& pair) {
  AGENTCA_ASSIGN(ca::PublicKey public_key, ReadPublicKey(pair.public_key));
  AGENTCA_ASSIGN(const Bytes label, Read(pair.private_key, CKA_LABEL));
  AGENTCA_ASSIGN(Bytes id, Read(pair.private_key, CKA_ID));
  KeyUri uri;
  uri.token = name_.label;
  uri.serial = name_.serial;
  uri.object = AsText(label);
  uri.id = std::move(id);
  // Each as the worse case, until the token says otherwise.
  KeyReport report{.uri = std::move(uri),
                   .public_key = std::move(public_key),
                   .sensitive = false,
                   .never_extractable = false,
                   .extractable = true,
                   .local = false,
                   .can_sign = false,
                   .can_decrypt = true,
                   .can_unwrap = true,
                   .can_derive = true,
                   .can_sign_recover = true};
  struct Row {
    CK_ATTRIBUTE_TYPE type;
    bool if_absent;
    bool KeyReport::*flag;
  };
  // A token leaves out what a key of its type can never do.
  constexpr std::array<Row, 9> kRows = {{
      {CKA_SENSITIVE, false, &KeyReport::sensitive},
      {CKA_NEVER_EXTRACTABLE, false, &KeyReport::never_extractable},
      {CKA_EXTRACTABLE, true, &KeyReport::extractable},
      {CKA_LOCAL, false, &KeyReport::local},
      {CKA_SIGN, false, &KeyReport::can_sign},
      {CKA_DECRYPT, false, &KeyReport::can_decrypt},
      {CKA_UNWRAP, false, &KeyReport::can_unwrap},
      {CKA_DERIVE, false, &KeyReport::can_derive},
      {CKA_SIGN_RECOVER, false, &KeyReport::can_sign_recover},
  }};
  for (const Row& row : kRows) {
    AGENTCA_ASSIGN(report.*row.flag, ReadFlag(pair.private_key, row.type, row.if_absent));
  }
  return report;
}

Result<KeyReport> Pkcs11Token::Find(const KeyUri& uri) {
  const std::string name = uri.ToString();
  const bool other_token = (!uri.token.empty() && uri.token != name_.label) ||
                           (!uri.serial.empty() && uri.serial != name_.serial);
  if (uri.kind != KeyUri::Kind::kPkcs11 || other_token) {
    return Error{Code::kNotFound, name + " is not on token \"" + name_.label + "\""};
  }
  KeyPair pair;
  AGENTCA_ASSIGN(const auto keys, FindObjects(CKO_PRIVATE_KEY, uri.object, uri.id));
  if (keys.empty()) return Error{Code::kNotFound, "the token has no key " + name};
  if (keys.size() > 1) return Error{Code::kConflict, "the token has several keys " + name};
  pair.private_key = keys.front();
  // The two halves of a pair share CKA_ID (PKCS#11 2.40 §4.6.1).
  AGENTCA_ASSIGN(const Bytes id, Read(pair.private_key, CKA_ID));
  if (id.empty()) return Error{Code::kNotFound, name + " has no CKA_ID"};
  AGENTCA_ASSIGN(const auto public_keys, FindObjects(CKO_PUBLIC_KEY, "", id));
  if (public_keys.empty()) return Error{Code::kNotFound, name + " has no public key object"};
  if (public_keys.size() > 1) return Error{Code::kConflict, name + " has several public keys"};
  pair.public_key = public_keys.front();
  auto report = Report(pair);
  if (report.ok()) found_.push_back(pair.private_key);
  return report;
}

Status Pkcs11Token::CheckHealth() {
  CK_SESSION_INFO info{};
  const CK_RV rv = call().C_GetSessionInfo(handle(), &info);
  if (rv != CKR_OK) return Pkcs11Error(Code::kUnavailable, "C_GetSessionInfo", rv);
  if (info.state != CKS_RO_USER_FUNCTIONS && info.state != CKS_RW_USER_FUNCTIONS) {
    return Error{Code::kUnavailable, "the session with the token is not logged in any more"};
  }
  for (const CK_OBJECT_HANDLE key : found_) {
    if (auto sign = Read(key, CKA_SIGN); !sign.ok()) return std::move(sign).error();
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Token>> Token::Open(const TokenOptions& options, Access access) {
  AGENTCA_ASSIGN(std::shared_ptr<Module> module,
                 Module::Load(options.module, options.softhsm2_conf));
  AGENTCA_ASSIGN(TokenName name, FindToken(*module, options.label, options.serial));
  AGENTCA_ASSIGN(std::unique_ptr<Session> session,
                 Session::Open(std::move(module), name.slot, access));
  auto token = std::make_unique<Pkcs11Token>(std::move(session), std::move(name));
  AGENTCA_TRY(token->Login(options.pin_file));
  return std::unique_ptr<Token>(std::move(token));
}

}  // namespace agentca::hsm
