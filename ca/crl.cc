#include "ca/crl.h"

#include <algorithm>
#include <ctime>
#include <optional>

#include "ca/der.h"
#include "ca/openssl.h"

namespace agentca::ca {
namespace {

// Up to this size OpenSSL parses the whole list. Beyond, one object per entry would cost seconds
// and eight times the list's memory; the head is parsed alone, the entries are walked.
constexpr size_t kWholeParseLimit = size_t{1} << 20;

constexpr std::string_view kReasonCode = "2.5.29.21";
constexpr std::string_view kAuthorityKeyIdentifier = "2.5.29.35";
constexpr std::string_view kCrlNumber = "2.5.29.20";

void Append(Bytes& out, ByteView more) { out.insert(out.end(), more.begin(), more.end()); }

Error Unfit(std::string_view why) { return Error{Code::kMalformed, "CRL: " + std::string(why)}; }

// One TLV as OpenSSL's reader sees it.
struct Element {
  int tag;
  int tag_class;
  bool constructed;
  ByteView whole;
  ByteView content;
};

// Takes the first definite-length TLV off `input`.
std::optional<Element> TakeElement(ByteView& input) {
  const unsigned char* at = input.data();
  long length = 0;
  Element element{};
  const int flags = ASN1_get_object(&at, &length, &element.tag, &element.tag_class,
                                    static_cast<long>(input.size()));
  if ((flags & 0x80) != 0 || (flags & 1) != 0) return std::nullopt;  // error, indefinite length
  const auto header = static_cast<size_t>(at - input.data());
  element.constructed = (flags & V_ASN1_CONSTRUCTED) != 0;
  element.whole = input.first(header + static_cast<size_t>(length));
  element.content = element.whole.subspan(header);
  input = input.subspan(element.whole.size());
  return element;
}

bool Is(const std::optional<Element>& element, int tag) {
  return element && element->tag == tag && element->tag_class == V_ASN1_UNIVERSAL;
}

// Number of entries, nullopt when one is not SEQUENCE { INTEGER, Time, … } within its bounds.
std::optional<size_t> CountEntries(ByteView entries) {
  size_t count = 0;
  for (; !entries.empty(); ++count) {
    const auto entry = TakeElement(entries);
    if (!Is(entry, V_ASN1_SEQUENCE)) return std::nullopt;
    ByteView rest = entry->content;
    const auto serial = TakeElement(rest);
    if (!Is(serial, V_ASN1_INTEGER) || serial->content.empty()) return std::nullopt;
    const auto date = TakeElement(rest);
    if (!Is(date, V_ASN1_UTCTIME) && !Is(date, V_ASN1_GENERALIZEDTIME)) return std::nullopt;
  }
  return count;
}

// A CRL taken apart, as far as needed to verify it and to put its head together again.
struct Anatomy {
  ByteView tbs;
  ByteView signature_algorithm;
  ByteView signature;  // octets of the BIT STRING
  Bytes head;          // the whole CRL without its revokedCertificates
  size_t entries = 0;
};

Result<Anatomy> Dissect(ByteView der) {
  ByteView rest = der;
  const auto outer = TakeElement(rest);
  if (!Is(outer, V_ASN1_SEQUENCE) || !rest.empty()) return Unfit("is not one SEQUENCE");
  ByteView inside = outer->content;
  const auto tbs = TakeElement(inside);
  const auto algorithm = TakeElement(inside);
  const auto signature = TakeElement(inside);
  if (!Is(tbs, V_ASN1_SEQUENCE) || !Is(algorithm, V_ASN1_SEQUENCE) ||
      !Is(signature, V_ASN1_BIT_STRING) || !inside.empty() || signature->content.empty() ||
      signature->content.front() != 0) {
    return Unfit("is not SIGNED{TBSCertList}");
  }
  Anatomy anatomy{tbs->whole, algorithm->whole, signature->content.subspan(1), {}, 0};
  Bytes kept;
  ByteView fields = tbs->content;
  // version, signature and issuer; then two Times; a SEQUENCE after a Time is the entries.
  bool after_time = false;
  while (!fields.empty()) {
    const auto field = TakeElement(fields);
    if (!field) return Unfit("has a malformed TBSCertList");
    if (after_time && Is(field, V_ASN1_SEQUENCE)) {
      const auto count = CountEntries(field->content);
      if (!count || *count == 0) return Unfit("has malformed entries");
      anatomy.entries = *count;
      after_time = false;
      continue;
    }
    after_time = Is(field, V_ASN1_UTCTIME) || Is(field, V_ASN1_GENERALIZEDTIME);
    Append(kept, field->whole);
  }
  anatomy.head =
      der::Sequence({der::Tlv(der::kSequence, kept), algorithm->whole, signature->whole});
  return anatomy;
}

std::optional<Time> FromAsn1Time(const ASN1_TIME* time) {
  std::tm utc{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &utc) != 1) return std::nullopt;
  return Time(Seconds(timegm(&utc)));
}

Result<CrlSummary> ReadHead(ByteView der) {
  const auto crl = openssl::Decode<openssl::X509CrlPtr>(d2i_X509_CRL, der);
  if (!crl) return Unfit("has a head that does not parse");
  if (X509_CRL_get_version(crl.get()) != X509_CRL_VERSION_2) return Unfit("is not version 2");
  const openssl::IntegerPtr number(static_cast<ASN1_INTEGER*>(
      X509_CRL_get_ext_d2i(crl.get(), NID_crl_number, nullptr, nullptr)));
  CrlSummary summary{};
  if (!number || ASN1_INTEGER_get_uint64(&summary.number, number.get()) != 1)
    return Unfit("has no usable number");
  const auto this_update = FromAsn1Time(X509_CRL_get0_lastUpdate(crl.get()));
  const auto next_update = FromAsn1Time(X509_CRL_get0_nextUpdate(crl.get()));
  if (!this_update || !next_update) return Unfit("lacks thisUpdate or nextUpdate");
  summary.this_update = *this_update;
  summary.next_update = *next_update;
  return summary;
}

std::optional<SignatureAlgorithm> AlgorithmOf(ByteView identifier) {
  for (const auto algorithm : {SignatureAlgorithm::kEcdsaSha256, SignatureAlgorithm::kEcdsaSha384,
                               SignatureAlgorithm::kEd25519, SignatureAlgorithm::kRsaPkcs1Sha256}) {
    const ByteView known = AlgorithmIdentifier(algorithm);
    if (std::equal(known.begin(), known.end(), identifier.begin(), identifier.end()))
      return algorithm;
  }
  return std::nullopt;
}

Status CheckWhole(ByteView der, size_t entries, const PublicKey& issuer_key) {
  const auto crl = openssl::Decode<openssl::X509CrlPtr>(d2i_X509_CRL, der);
  if (!crl) return Unfit("does not parse");
  if (X509_CRL_verify(crl.get(), issuer_key.evp()) != 1) return Unfit("does not verify");
  const auto* revoked = X509_CRL_get_REVOKED(crl.get());
  const int count = revoked == nullptr ? 0 : sk_X509_REVOKED_num(revoked);
  if (static_cast<size_t>(count) != entries) return Unfit("has another number of entries");
  return {};
}

}  // namespace

// revokedCertificates entry ::= SEQUENCE {
//   userCertificate    CertificateSerialNumber,
//   revocationDate     Time,
//   crlEntryExtensions Extensions OPTIONAL }
void CrlBuilder::Add(const RevokedEntry& entry) {
  // SEQUENCE { SEQUENCE { reasonCode, OCTET STRING { ENUMERATED reason } } }: all but the reason.
  static const Bytes kReasonPrefix = [] {
    const Bytes extension = der::Sequence(
        {der::Sequence({der::Oid(kReasonCode), der::OctetString(der::Enumerated(0))})});
    return Bytes(extension.begin(), extension.end() - 1);
  }();
  const ByteView serial = entry.serial.bytes();
  const bool sign_octet = (serial.front() & 0x80) != 0;
  const Bytes date = der::X509Time(entry.revocation.at);
  const bool with_reason = entry.revocation.reason != Reason::kUnspecified;
  const size_t integer = serial.size() + (sign_octet ? 1 : 0);
  const size_t content = 2 + integer + date.size() + (with_reason ? kReasonPrefix.size() + 1 : 0);
  // 23 + 17 + 14 octets at most: every length fits one octet.
  entries_.push_back(der::kSequence);
  entries_.push_back(static_cast<uint8_t>(content));
  entries_.push_back(der::kInteger);
  entries_.push_back(static_cast<uint8_t>(integer));
  if (sign_octet) entries_.push_back(0);
  Append(entries_, serial);
  Append(entries_, date);
  if (with_reason) {
    Append(entries_, kReasonPrefix);
    entries_.push_back(static_cast<uint8_t>(entry.revocation.reason));
  }
  ++count_;
}

// TBSCertList ::= SEQUENCE {
//   version             Version OPTIONAL,            -- v2
//   signature           AlgorithmIdentifier,
//   issuer              Name,
//   thisUpdate          Time,
//   nextUpdate          Time OPTIONAL,
//   revokedCertificates SEQUENCE OF … OPTIONAL,
//   crlExtensions   [0] EXPLICIT Extensions OPTIONAL }
Bytes CrlBuilder::Finish(const IssuerInfo& issuer, uint64_t number, Time this_update,
                         Time next_update) && {
  const Bytes head =
      der::Concat({der::Integer(1), AlgorithmIdentifier(issuer.algorithm), issuer.subject,
                   der::X509Time(this_update), der::X509Time(next_update)});
  // RFC 5280 §5.1.2.6: "When there are no revoked certificates, the revoked certificates list MUST
  // be absent."
  const Bytes list = entries_.empty() ? Bytes() : der::Header(der::kSequence, entries_.size());
  const Bytes key_identifier = der::Sequence({der::Tlv(der::Primitive(0), issuer.key_identifier)});
  const Bytes extensions = der::Tlv(
      der::Constructed(0),
      der::Sequence(
          {der::Sequence({der::Oid(kAuthorityKeyIdentifier), der::OctetString(key_identifier)}),
           der::Sequence({der::Oid(kCrlNumber), der::OctetString(der::Integer(number))})}));
  const size_t content = head.size() + list.size() + entries_.size() + extensions.size();
  const Bytes outer = der::Header(der::kSequence, content);
  Bytes tbs;
  tbs.reserve(outer.size() + content);
  for (const ByteView part : {ByteView(outer), ByteView(head), ByteView(list), ByteView(entries_),
                              ByteView(extensions)}) {
    Append(tbs, part);
  }
  Bytes().swap(entries_);
  count_ = 0;
  return tbs;
}

Result<CrlSummary> ParseCrl(ByteView der, const PublicKey& issuer_key) {
  const openssl::ErrorScope errors;
  AGENTCA_ASSIGN(const Anatomy anatomy, Dissect(der));
  const auto algorithm = AlgorithmOf(anatomy.signature_algorithm);
  if (!algorithm || !issuer_key.Verify(*algorithm, anatomy.tbs, anatomy.signature))
    return Unfit("signature does not verify");
  AGENTCA_ASSIGN(CrlSummary summary, ReadHead(anatomy.head));
  summary.entries = anatomy.entries;
  if (der.size() <= kWholeParseLimit) AGENTCA_TRY(CheckWhole(der, anatomy.entries, issuer_key));
  return summary;
}

}  // namespace agentca::ca
