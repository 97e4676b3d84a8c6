// Evidence of a TPM 2.0, by the programs of tpm2-tools: they know every way to reach one. What is
// made here is described in agentca-attestation(7).
#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>

#include "acme/cli/evidence_collector.h"
#include "acme/cli/files.h"
#include "acme/cli/run_program.h"
#include "acme/json.h"
#include "hsm/signature.h"

namespace agentca::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxOutput = 64 * 1024;

// A directory for what the tools exchange by files; gone with the object.
class Workspace {
 public:
  static Result<std::unique_ptr<Workspace>> Make() {
    std::string name = (fs::temp_directory_path() / "agentca-tpm-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) return FileError("cannot make", name);
    return std::unique_ptr<Workspace>(new Workspace(name));
  }
  ~Workspace() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  std::string File(std::string_view name) const { return (path_ / name).string(); }
  Result<Bytes> Read(std::string_view name) const { return ReadFile(path_ / name, kMaxOutput); }

 private:
  explicit Workspace(fs::path path) : path_(std::move(path)) {}
  const fs::path path_;
};

Status RunTool(std::vector<std::string> command) {
  AGENTCA_TRY(OutputOf({std::move(command), {}}));
  return {};
}

// "sha256:0,7" → the bank, and the PCRs in the order in which a read lists their values.
struct Selection {
  std::string bank;
  std::vector<std::string> pcrs;
};
Result<Selection> ParseSelection(const std::string& text) {
  const Error malformed{Code::kMalformed, "--tpm-pcrs: expected sha256:N,N…, ascending"};
  const size_t colon = text.find(':');
  Selection selection{text.substr(0, std::min(colon, text.size())), {}};
  constexpr std::array<std::string_view, 3> kBanks{"sha256", "sha384", "sha512"};
  if (colon == std::string::npos ||
      std::find(kBanks.begin(), kBanks.end(), selection.bank) == kBanks.end()) {
    return malformed;
  }
  int last = -1;
  for (size_t at = colon; at != std::string::npos;) {
    const size_t next = text.find(',', at + 1);
    const std::string number = text.substr(at + 1, next - at - 1);
    const bool plain = !number.empty() && number.size() <= 2 &&
                       number.find_first_not_of("0123456789") == std::string::npos;
    if (!plain || std::stoi(number) <= last || std::stoi(number) > 23) return malformed;
    last = std::stoi(number);
    selection.pcrs.push_back(std::to_string(last));
    at = next;
  }
  return selection;
}

// The key of the certificate, in the TPM.
class TpmKey final : public ca::Signer {
 public:
  TpmKey(std::string object, ca::PublicKey key)
      : object_(std::move(object)), key_(std::move(key)) {}
  const ca::PublicKey& public_key() const override { return key_; }
  ca::SignatureAlgorithm algorithm() const override { return hsm::AlgorithmOf(key_.type()); }
  Result<Bytes> Sign(ByteView message) override {
    AGENTCA_ASSIGN(const auto work, Workspace::Make());
    AGENTCA_TRY(WriteTextFile(work->File("message"), AsText(message), kSecretFile));
    const std::string hash = key_.type() == ca::KeyType::kP384 ? "sha384" : "sha256";
    AGENTCA_TRY(RunTool({"tpm2_sign", "-Q", "-c", object_, "-g", hash, "-f", "plain", "-o",
                         work->File("signature"), work->File("message")}));
    return work->Read("signature");
  }

 private:
  const std::string object_;
  const ca::PublicKey key_;
};

class TpmCollector final : public Collector {
 public:
  TpmCollector(TpmObjects objects, Selection selection, std::vector<Bytes> chain)
      : objects_(std::move(objects)),
        selection_(std::move(selection)),
        chain_(std::move(chain)) {}

  std::string_view format() const override { return "tpm"; }

  Result<Collected> Collect(const Demand& demand) override {
    AGENTCA_ASSIGN(const auto work, Workspace::Make());
    acme::JsonWriter json;
    json.BeginObject();
    AGENTCA_TRY(WriteKey(*work, json));
    AGENTCA_TRY(WriteQuote(*work, demand, json));
    if (!objects_.certificate_key.empty()) AGENTCA_TRY(WriteCertification(*work, json));
    json.EndObject();
    return Collected{ToBytes(AsBytes(std::move(json).Take())), chain_};
  }

 private:
  static Status WriteFile(const Workspace& work, std::string_view member, std::string_view file,
                          acme::JsonWriter& json) {
    AGENTCA_ASSIGN(const Bytes octets, work.Read(file));
    json.Member(member, ToBase64Url(octets));
    return {};
  }

  Status WriteKey(const Workspace& work, acme::JsonWriter& json) const {
    AGENTCA_TRY(RunTool({"tpm2_readpublic", "-Q", "-c", objects_.attestation_key, "-f", "tss", "-o",
                         work.File("ak")}));
    AGENTCA_TRY(WriteFile(work, "akPub", "ak", json));
    if (!objects_.key_id.empty()) json.Member("kid", objects_.key_id);
    return {};
  }

  Status WriteQuote(const Workspace& work, const Demand& demand, acme::JsonWriter& json) const {
    AGENTCA_TRY(RunTool({"tpm2_quote", "-Q", "-c", objects_.attestation_key, "-l", SelectionText(),
                         "-q", ToHex(BoundNonceFor(demand)), "-m", work.File("quote"), "-s",
                         work.File("quote.sig")}));
    json.Key("quote").BeginObject();
    AGENTCA_TRY(WriteFile(work, "attest", "quote", json));
    AGENTCA_TRY(WriteFile(work, "sig", "quote.sig", json));
    json.EndObject();
    AGENTCA_TRY(RunTool({"tpm2_pcrread", "-Q", "-o", work.File("values"), SelectionText()}));
    AGENTCA_ASSIGN(const Bytes values, work.Read("values"));
    return WriteValues(values, json);
  }

  Status WriteValues(const Bytes& values, acme::JsonWriter& json) const {
    const size_t size = values.size() / selection_.pcrs.size();
    if (size == 0 || size * selection_.pcrs.size() != values.size()) {
      return Error{Code::kUnavailable, "tpm2_pcrread: not all PCRs of --tpm-pcrs were read"};
    }
    json.Key("pcrs").BeginObject().Key(selection_.bank).BeginObject();
    for (size_t i = 0; i < selection_.pcrs.size(); ++i) {
      json.Member(selection_.pcrs[i], ToHex(ByteView(values).subspan(i * size, size)));
    }
    json.EndObject().EndObject();
    return {};
  }

  Status WriteCertification(const Workspace& work, acme::JsonWriter& json) const {
    const std::string& key = objects_.certificate_key;
    AGENTCA_TRY(RunTool({"tpm2_certify", "-Q", "-c", key, "-C", objects_.attestation_key, "-g",
                         "sha256", "-o", work.File("certify"), "-s", work.File("certify.sig")}));
    AGENTCA_TRY(RunTool({"tpm2_readpublic", "-Q", "-c", key, "-f", "tss", "-o", work.File("key")}));
    json.Key("certify").BeginObject();
    AGENTCA_TRY(WriteFile(work, "attest", "certify", json));
    AGENTCA_TRY(WriteFile(work, "sig", "certify.sig", json));
    AGENTCA_TRY(WriteFile(work, "public", "key", json));
    json.EndObject();
    return {};
  }

  std::string SelectionText() const {
    std::string text = selection_.bank + ":";
    for (const std::string& pcr : selection_.pcrs) text += (text.back() == ':' ? "" : ",") + pcr;
    return text;
  }

  const TpmObjects objects_;
  const Selection selection_;
  const std::vector<Bytes> chain_;
};

}  // namespace

Result<std::unique_ptr<Collector>> MakeTpmCollector(TpmObjects objects, const std::string& pcrs,
                                                    std::vector<Bytes> chain) {
  AGENTCA_ASSIGN(Selection selection, ParseSelection(pcrs));
  return std::unique_ptr<Collector>(std::make_unique<TpmCollector>(
      std::move(objects), std::move(selection), std::move(chain)));
}

Result<std::unique_ptr<ca::Signer>> OpenTpmKey(const std::string& object) {
  AGENTCA_ASSIGN(const auto work, Workspace::Make());
  AGENTCA_TRY(
      RunTool({"tpm2_readpublic", "-Q", "-c", object, "-f", "der", "-o", work->File("spki")}));
  AGENTCA_ASSIGN(const Bytes spki, work->Read("spki"));
  AGENTCA_ASSIGN(ca::PublicKey key, ca::PublicKey::FromSpki(spki));
  return std::unique_ptr<ca::Signer>(std::make_unique<TpmKey>(object, std::move(key)));
}

}  // namespace agentca::cli
