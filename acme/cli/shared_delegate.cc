#include "acme/cli/shared_delegate.h"

#include "acme/cli/files.h"
#include "acme/cli/pem.h"
#include "ca/base/log.h"

namespace agentca::cli {

using ca::Certificate;

namespace {

std::optional<ca::PublicKey> KeyOf(const SharedDelegate::Parts& parts) {
  if (parts.signer) return parts.signer->public_key();
  const auto kept = ReadCertificate(parts.directory.OcspCertificate());
  if (!kept.ok()) return std::nullopt;
  return kept->key;
}

}  // namespace

SharedDelegate::SharedDelegate(Parts parts)
    : parts_(std::move(parts)),
      key_(KeyOf(parts_)),
      name_(ca::OcspNameOf(parts_.issuer.info.id)),
      duty_(parts_.leases, name_) {}

bool SharedDelegate::IsRevoked(const Certificate& certificate) const {
  const auto status = parts_.certificates.StatusOf(parts_.issuer.info.id, certificate.serial);
  // A store that never heard of it (memory:) has no answer for OCSP either: issue a new one.
  if (!status.ok()) return status.error().code == Code::kNotFound;
  return status->revocation.has_value();
}

bool SharedDelegate::IsGood(const Certificate& certificate, Time now) const {
  return parts_.own->IsFresh(certificate, now) && !IsRevoked(certificate);
}

Status SharedDelegate::Judge(const Certificate& certificate, Time now) const {
  const auto refuse = [&](const std::string& why) {
    return Error{Code::kInternal, "the OCSP delegate in the store, serial " +
                                      certificate.serial.ToString() + ", is not served: " + why};
  };
  if (!key_ || !(certificate.key == *key_)) return refuse("it has another key");
  if (certificate.issuer != parts_.issuer.info.subject ||
      !ca::IsSignedBy(certificate, parts_.issuer.certificate.key))
    return refuse("another issuer signed it");
  if (now < certificate.not_before || now > certificate.not_after)
    return refuse("it is not valid now");
  if (IsRevoked(certificate)) return refuse("it is revoked");
  return {};
}

void SharedDelegate::Serve(const Certificate& certificate) {
  if (serving_ && serving_->serial == certificate.serial) return;
  serving_ = certificate;
  if (!parts_.signer) return;
  responds_until_ = certificate.not_after;
  parts_.responder.Serve(parts_.issuer.certificate, parts_.issuer.info.id,
                         {certificate, parts_.signer});
}

Status SharedDelegate::Follow(Time now) {
  AGENTCA_ASSIGN(const int64_t version, parts_.documents.VersionOf(name_));
  if (version == seen_) return {};
  shared_ = false;
  if (version == 0) {  // a store that was restored from a backup
    seen_ = 0;
    return {};
  }
  AGENTCA_ASSIGN(const ca::SharedDocument document, parts_.documents.Get(name_));
  seen_ = document.version;  // sound or not, it is what the next one replaces
  const auto certificate = Certificate::Parse(document.content);
  if (!certificate.ok()) return Error{Code::kInternal, certificate.error().detail};
  AGENTCA_TRY(Judge(*certificate, now));
  Serve(*certificate);
  shared_ = true;
  // For the next start, should it not reach the store.
  const Status kept = WriteTextFile(parts_.directory.OcspCertificate(),
                                    ToPem("CERTIFICATE", certificate->der), kPublicFile);
  if (!kept.ok())
    Log(Level::kWarning, "cannot keep the OCSP delegate on disk", {{"cause", kept.error().detail}});
  return {};
}

// Of a node that cannot issue, while the store has none.
Status SharedDelegate::AdoptKept(Time now) {
  if (serving_) return {};
  const auto kept = ReadCertificate(parts_.directory.OcspCertificate());
  if (!kept.ok()) return Error{Code::kUnavailable, "there is no OCSP delegate yet"};
  AGENTCA_TRY(Judge(*kept, now));
  Serve(*kept);
  return {};
}

Result<Certificate> SharedDelegate::Candidate(Time now) const {
  if (serving_ && IsGood(*serving_, now)) return *serving_;
  auto kept = parts_.own->CurrentOcspDelegate(*key_, now);
  if (kept && !IsRevoked(*kept)) return *std::move(kept);
  AGENTCA_ASSIGN(Certificate issued, parts_.own->IssueOcspDelegate(*key_, now));
  Log(Level::kInfo, "issued own certificate",
      {{"for", "ocsp"},
       {"serial", issued.serial.ToString()},
       {"not_after", ToRfc3339(issued.not_after)}});
  return issued;
}

Status SharedDelegate::Share(const Certificate& certificate, Time now) {
  const ca::SharedDocument document{seen_ + 1, certificate.der};
  const Status put = parts_.documents.Put(name_, seen_, document);
  if (!put.ok() && put.error().code == Code::kConflict) return Follow(now);  // another was faster
  AGENTCA_TRY(put);
  seen_ = document.version;
  shared_ = true;
  return {};
}

Status SharedDelegate::Renew(Time now) {
  if (const Status followed = Follow(now); !followed.ok()) {
    if (followed.error().code != Code::kInternal) return followed;
    Log(Level::kError, "cannot adopt the OCSP delegate", {{"cause", followed.error().detail}});
  }
  return parts_.own == nullptr ? AdoptKept(now) : Make(now);
}

Status SharedDelegate::Make(Time now) {
  if (shared_ && IsGood(*serving_, now)) return {};
  const bool usable = serving_ && now <= serving_->not_after && !IsRevoked(*serving_);
  if (!duty_.Hold() && usable) return {};
  if (!key_) return {};  // nobody knows whom to certify
  AGENTCA_ASSIGN(const Certificate candidate, Candidate(now));
  Serve(candidate);
  return Share(candidate, now);
}

}  // namespace agentca::cli
