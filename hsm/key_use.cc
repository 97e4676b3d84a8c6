#include "hsm/key_use.h"

#include <algorithm>
#include <ctime>
#include <limits>
#include <optional>

#include "ca/asn1_forms.h"
#include "ca/der.h"
#include "ca/openssl.h"
#include "ca/signed_object.h"
#include "hsm/signature.h"

namespace agentca::hsm {
namespace {

namespace der = ca::der;
namespace openssl = ca::openssl;
using ca::TbsForm;

Error Refuse(std::string why) { return {Code::kUnauthorized, std::move(why)}; }

// One element of strict DER: definite, minimal length and a low tag number.
struct Element {
  uint8_t tag;
  ByteView whole;
  ByteView content;
};

// Cuts the first element off `rest`.
std::optional<Element> TakeElement(ByteView& rest) {
  const unsigned char* cursor = rest.data();
  long length = 0;
  int tag = 0;
  int tag_class = 0;
  const int form =
      ASN1_get_object(&cursor, &length, &tag, &tag_class, static_cast<long>(rest.size()));
  constexpr int kError = 0x80;
  constexpr int kIndefinite = 0x01;
  if ((form & (kError | kIndefinite)) != 0 || tag > 30) return std::nullopt;
  const auto header = static_cast<size_t>(cursor - rest.data());
  const auto size = header + static_cast<size_t>(length);
  if (length > std::numeric_limits<int>::max() ||
      ASN1_object_size(0, static_cast<int>(length), tag) != static_cast<int>(size)) {
    return std::nullopt;
  }
  const Element element{rest[0], rest.first(size), rest.subspan(header, size - header)};
  rest = rest.subspan(size);
  return element;
}

std::optional<std::vector<Element>> ElementsOf(ByteView content, size_t at_most) {
  std::vector<Element> elements;
  while (!content.empty()) {
    const auto element = TakeElement(content);
    if (!element.has_value() || elements.size() == at_most) return std::nullopt;
    elements.push_back(*element);
  }
  return elements;
}

bool IsTime(const Element& element) {
  return element.tag == der::kUtcTime || element.tag == der::kGeneralizedTime;
}

// revokedCertificates SEQUENCE OF SEQUENCE {
//   userCertificate    CertificateSerialNumber,
//   revocationDate     Time,
//   crlEntryExtensions Extensions OPTIONAL }
bool IsRevokedList(ByteView entries) {
  if (entries.empty()) return false;  // RFC 5280 §5.1.2.6: absent when nothing is revoked
  while (!entries.empty()) {
    const auto entry = TakeElement(entries);
    if (!entry.has_value() || entry->tag != der::kSequence) return false;
    ByteView rest = entry->content;
    const auto serial = TakeElement(rest);
    if (!serial.has_value() || serial->tag != der::kInteger) return false;
    const auto date = TakeElement(rest);
    if (!date.has_value() || !IsTime(*date)) return false;
    if (rest.empty()) continue;
    const auto extensions = TakeElement(rest);
    if (!extensions.has_value() || extensions->tag != der::kSequence || !rest.empty()) return false;
  }
  return true;
}

// TBSCertList ::= SEQUENCE {            -- RFC 5280 §5.1
//   version             Version,        -- v2
//   signature           AlgorithmIdentifier,
//   issuer              Name,
//   thisUpdate          Time,
//   nextUpdate          Time,           -- RFC 5280 §5.1.2.5 demands it
//   revokedCertificates … OPTIONAL,
//   crlExtensions       [0] Extensions  -- §5.2.3 demands one }
struct CrlHeader {
  ByteView algorithm;
  Bytes tbs;  // the same list without revokedCertificates
};
// Nothing when `content` is not of this shape.
std::optional<CrlHeader> WithoutEntries(ByteView content) {
  const auto elements = ElementsOf(content, 7);
  if (!elements.has_value() || elements->size() < 6) return std::nullopt;
  const std::vector<Element>& e = *elements;
  const bool with_entries = e.size() == 7;
  if (e[0].tag != der::kInteger || e[1].tag != der::kSequence || e[2].tag != der::kSequence ||
      !IsTime(e[3]) || !IsTime(e[4]) || e.back().tag != der::Constructed(0)) {
    return std::nullopt;
  }
  if (with_entries && (e[5].tag != der::kSequence || !IsRevokedList(e[5].content))) {
    return std::nullopt;
  }
  return CrlHeader{e[1].whole, der::Sequence({e[0].whole, e[1].whole, e[2].whole, e[3].whole,
                                              e[4].whole, e.back().whole})};
}

std::optional<std::string> PositiveHex(const ASN1_INTEGER* integer, bool or_zero) {
  if (integer == nullptr || ASN1_STRING_type(integer) != V_ASN1_INTEGER) return std::nullopt;
  const ByteView octets(ASN1_STRING_get0_data(integer),
                        static_cast<size_t>(ASN1_STRING_length(integer)));
  const bool zero = std::all_of(octets.begin(), octets.end(), [](uint8_t o) { return o == 0; });
  if (zero && !or_zero) return std::nullopt;
  return ToHex(octets);
}

bool IsSame(ByteView a, ByteView b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

bool IsAlgorithmOf(ByteView algorithm, const KeyScope& scope) {
  return IsSame(algorithm, ca::AlgorithmIdentifier(AlgorithmOf(scope.key.type())));
}

bool IsName(const X509_NAME* name, const KeyScope& scope) {
  return openssl::Encode(i2d_X509_NAME, name) == scope.ca_subject;
}

using Extensions = STACK_OF(X509_EXTENSION);

// An extension that OpenSSL knows must parse: what a relying party makes of another is a guess.
Status RefuseUnsound(const Extensions* extensions) {
  constexpr int kMaxExtensions = 32;
  const int count = sk_X509_EXTENSION_num(extensions);
  if (count > kMaxExtensions) return Refuse("too many extensions");
  for (int i = 0; i < count; ++i) {
    X509_EXTENSION* const extension = sk_X509_EXTENSION_value(extensions, i);
    const ASN1_OBJECT* oid = X509_EXTENSION_get_object(extension);
    if (X509v3_get_ext_by_OBJ(extensions, oid, i) >= 0) return Refuse("an extension twice");
    const X509V3_EXT_METHOD* method = X509V3_EXT_get(extension);
    if (method == nullptr || method->it == nullptr) continue;
    auto* const value = static_cast<ASN1_VALUE*>(X509V3_EXT_d2i(extension));
    if (value == nullptr) return Refuse("an extension that is not well-formed");
    ASN1_item_free(value, ASN1_ITEM_ptr(method->it));
  }
  return {};
}

bool HasBit(const ASN1_BIT_STRING* bits, int bit) {
  return ASN1_BIT_STRING_get_bit(bits, bit) != 0;
}

// `extensions` were found sound, so that one which cannot be read is absent.
Status RefuseAuthority(const TbsForm& tbs, const KeyScope& scope) {
  using BasicPtr = openssl::Owned<BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free>;
  using BitsPtr = openssl::Owned<ASN1_BIT_STRING, ASN1_BIT_STRING_free>;
  using UsagesPtr = openssl::Owned<EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free>;
  const auto basic = ca::ReadExtension<BasicPtr>(tbs.extensions, NID_basic_constraints);
  if (basic && basic->ca != 0) return Refuse("a CA certificate");
  for (const int nid : {NID_netscape_cert_type, NID_proxyCertInfo}) {
    if (X509v3_get_ext_by_NID(tbs.extensions, nid, -1) >= 0) {
      return Refuse("a CA certificate by an extension of old, or a proxy's");
    }
  }
  constexpr int kKeyCertSign = 5;
  constexpr int kCrlSign = 6;
  const auto usage = ca::ReadExtension<BitsPtr>(tbs.extensions, NID_key_usage);
  if (usage && (HasBit(usage.get(), kKeyCertSign) || HasBit(usage.get(), kCrlSign))) {
    return Refuse("a certificate with the key usage of a CA");
  }
  const auto extended = ca::ReadExtension<UsagesPtr>(tbs.extensions, NID_ext_key_usage);
  const auto is_ours = [&](const ca::PublicKey& key) {
    return IsSame(key.spki(), ca::View(tbs.public_key));
  };
  for (int i = 0; i < sk_ASN1_OBJECT_num(extended.get()); ++i) {
    const int nid = OBJ_obj2nid(sk_ASN1_OBJECT_value(extended.get(), i));
    if (nid == NID_anyExtendedKeyUsage) {
      return Refuse("a certificate for any extended key usage");
    }
    if (nid == NID_OCSP_sign &&
        std::none_of(scope.ocsp_keys.begin(), scope.ocsp_keys.end(), is_ours)) {
      return Refuse("an OCSP delegation to a key that is not this signer's");
    }
  }
  return {};
}

// SubjectPublicKeyInfo ::= SEQUENCE { algorithm SEQUENCE { OID, parameters ANY OPTIONAL },
//                                     subjectPublicKey BIT STRING }
// Decoding the key would take longer than signing with the CA's.
bool IsPublicKeyInfo(ByteView der) {
  const auto outer = TakeElement(der);
  if (!outer.has_value() || outer->tag != der::kSequence) return false;
  const auto parts = ElementsOf(outer->content, 2);
  if (!parts.has_value() || parts->size() != 2 || (*parts)[0].tag != der::kSequence ||
      (*parts)[1].tag != der::kBitString || (*parts)[1].content.size() < 2) {
    return false;
  }
  const auto algorithm = ElementsOf((*parts)[0].content, 2);
  return algorithm.has_value() && !algorithm->empty() && (*algorithm)[0].tag == der::kOid;
}

std::optional<Time> TimeOf(const ASN1_TIME* time) {
  std::tm utc{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &utc) != 1) return std::nullopt;
  return Time(Seconds(timegm(&utc)));
}

Result<Use> JudgeCertificate(ByteView message, const KeyScope& scope) {
  const auto tbs = ca::ParseTbs(message);
  if (!tbs || !IsPublicKeyInfo(ca::View(tbs->public_key))) return Refuse("not a TBSCertificate");
  if (!IsSame(ca::EncodeTbs(*tbs), message)) {
    return Refuse("a TBSCertificate that is not canonical");
  }
  constexpr int64_t kVersion3 = 2;
  if (tbs->version == nullptr || ASN1_INTEGER_get(tbs->version) != kVersion3) {
    return Refuse("not version 3");
  }
  if (!IsAlgorithmOf(openssl::Encode(i2d_X509_ALGOR, tbs->algorithm), scope)) {
    return Refuse("another signature algorithm than this key's");
  }
  if (!IsName(tbs->issuer, scope)) return Refuse("a certificate of another issuer");
  if (IsName(tbs->subject, scope)) return Refuse("a certificate in the CA's own name");
  AGENTCA_TRY(RefuseUnsound(tbs->extensions));
  AGENTCA_TRY(RefuseAuthority(*tbs, scope));
  auto serial = PositiveHex(tbs->serial, false);
  if (!serial.has_value()) return Refuse("a serial number that is not positive");
  const auto not_after = TimeOf(tbs->validity->notAfter);
  if (!not_after.has_value()) return Refuse("a validity without end");
  return Use{Purpose::kCertificate, *std::move(serial), not_after};
}

// RFC 5280 §5.2.4, §5.2.5: lists that speak for other lists or issuers than they seem to.
Status RefuseSpecialCrl(const X509_CRL* crl) {
  if (X509_CRL_get_ext_by_NID(crl, NID_delta_crl, -1) >= 0) return Refuse("a delta CRL");
  if (X509_CRL_get_ext_by_NID(crl, NID_issuing_distribution_point, -1) < 0) return {};
  using PointPtr = openssl::Owned<ISSUING_DIST_POINT, ISSUING_DIST_POINT_free>;
  const PointPtr point(static_cast<ISSUING_DIST_POINT*>(
      X509_CRL_get_ext_d2i(crl, NID_issuing_distribution_point, nullptr, nullptr)));
  if (!point) return Refuse("an issuing distribution point that is not well-formed");
  if (point->indirectCRL > 0) return Refuse("an indirect CRL");
  return {};
}

Result<std::string> JudgeCrl(ByteView content, const KeyScope& scope) {
  const auto header = WithoutEntries(content);
  if (!header.has_value()) return Refuse("not a version 2 TBSCertList");
  const Bytes wrapped = ca::WrapUnsigned(header->tbs, AlgorithmOf(scope.key.type()));
  const auto crl = openssl::Decode<openssl::X509CrlPtr>(d2i_X509_CRL, wrapped);
  if (!crl) return Refuse("not a TBSCertList: " + openssl::LastError());
  if (openssl::Encode(i2d_re_X509_CRL_tbs, crl.get()) != header->tbs) {
    return Refuse("a TBSCertList that is not canonical");
  }
  if (X509_CRL_get_version(crl.get()) != X509_CRL_VERSION_2) return Refuse("not version 2");
  if (!IsAlgorithmOf(header->algorithm, scope)) {
    return Refuse("another signature algorithm than this key's");
  }
  if (!IsName(X509_CRL_get_issuer(crl.get()), scope)) return Refuse("a CRL of another issuer");
  AGENTCA_TRY(RefuseSpecialCrl(crl.get()));
  const openssl::IntegerPtr number(static_cast<ASN1_INTEGER*>(
      X509_CRL_get_ext_d2i(crl.get(), NID_crl_number, nullptr, nullptr)));
  auto hex = PositiveHex(number.get(), true);
  if (!hex.has_value()) return Refuse("a CRL without one number");
  return *std::move(hex);
}

Result<std::string> JudgeOcsp(ByteView message, const KeyScope& scope) {
  const Bytes wrapped = ca::WrapUnsigned(message, AlgorithmOf(scope.key.type()));
  const auto response = openssl::Decode<openssl::OcspBasicPtr>(d2i_OCSP_BASICRESP, wrapped);
  if (!response) return Refuse("not a ResponseData: " + openssl::LastError());
  const OCSP_RESPDATA* data = OCSP_resp_get0_respdata(response.get());
  if (!IsSame(openssl::Encode(i2d_OCSP_RESPDATA, data), message)) {
    return Refuse("a ResponseData that is not canonical");
  }
  const ASN1_OCTET_STRING* key_hash = nullptr;
  const X509_NAME* name = nullptr;
  if (OCSP_resp_get0_id(response.get(), &key_hash, &name) != 1 || key_hash == nullptr) {
    return Refuse("a responder that is not named by its key");
  }
  const ByteView responder(ASN1_STRING_get0_data(key_hash),
                           static_cast<size_t>(ASN1_STRING_length(key_hash)));
  if (!IsSame(responder, scope.key.key_identifier())) return Refuse("another responder's answer");
  const OCSP_SINGLERESP* first = OCSP_resp_get0(response.get(), 0);
  if (first == nullptr) return Refuse("an OCSP response without an answer");
  ASN1_INTEGER* serial = nullptr;
  OCSP_id_get0_info(nullptr, nullptr, nullptr, &serial,
                    const_cast<OCSP_CERTID*>(OCSP_SINGLERESP_get0_id(first)));
  auto hex = PositiveHex(serial, true);
  if (!hex.has_value()) return Refuse("an OCSP answer for a serial number that is negative");
  return *std::move(hex);
}

std::optional<Purpose> PurposeOf(uint8_t first_tag) {
  if (first_tag == der::Constructed(0)) return Purpose::kCertificate;
  if (first_tag == der::kInteger) return Purpose::kCrl;
  if (first_tag == der::Constructed(2)) return Purpose::kOcsp;
  return std::nullopt;
}

}  // namespace

Result<Use> JudgeUse(ByteView message, const KeyScope& scope) {
  const openssl::ErrorScope errors;
  ByteView rest = message;
  const auto outer = TakeElement(rest);
  if (!outer.has_value() || outer->tag != der::kSequence || !rest.empty() ||
      outer->content.empty()) {
    return Refuse("not one DER sequence");
  }
  const auto purpose = PurposeOf(outer->content[0]);
  if (!purpose.has_value()) return Refuse("neither a certificate, a CRL nor an OCSP response");
  if (std::find(scope.purposes.begin(), scope.purposes.end(), *purpose) == scope.purposes.end()) {
    return Refuse("the key is not for purpose " + std::string(ToString(*purpose)));
  }
  if (*purpose == Purpose::kCertificate) return JudgeCertificate(message, scope);
  auto object = *purpose == Purpose::kCrl ? JudgeCrl(outer->content, scope)
                                          : JudgeOcsp(message, scope);
  if (!object.ok()) return std::move(object).error();
  return Use{*purpose, *std::move(object)};
}

}  // namespace agentca::hsm
