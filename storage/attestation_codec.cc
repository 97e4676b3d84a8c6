#include "storage/attestation_codec.h"

#include <algorithm>

#include "acme/json.h"
#include "storage/codec.h"

namespace agentca::storage {
namespace {

using acme::Attestation;
using acme::JsonDocument;
using acme::JsonValue;
using acme::JsonWriter;

constexpr acme::JsonLimits kLimits{.max_size = 16 * 1024 * 1024};

void WriteClaims(JsonWriter& out, const ca::Claims& claims) {
  out.BeginArray();
  for (const auto& [name, values] : claims) {
    out.BeginArray().String(WithoutNul(name));
    for (const std::string& value : values) out.String(WithoutNul(value));
    out.EndArray();
  }
  out.EndArray();
}

void WriteComponents(JsonWriter& out, const std::vector<ca::Component>& components) {
  out.BeginArray();
  for (const ca::Component& each : components) {
    out.BeginObject();
    out.Member("kind", ToString(each.kind));
    out.Member("hash", WithoutNul(each.hash_algorithm));
    out.Member("digest", ToHex(each.digest));
    out.Member("basis", ToString(each.basis));
    out.EndObject();
  }
  out.EndArray();
}

// Typed members of one object. The first that is missing or of another type spoils all of it.
class Reader {
 public:
  explicit Reader(const JsonValue& object) : object_(object) {}
  bool intact() const { return intact_; }

  std::string Text(std::string_view name) {
    auto text = object_.String(name);
    if (!text.ok()) return Spoil(), std::string();
    return *std::move(text);
  }
  int64_t Int(std::string_view name) {
    const auto number = object_.OptionalInt(name);
    if (!number.ok() || !*number) return Spoil(), 0;
    return **number;
  }
  // One of an enumeration, by name.
  template <class Enum>
  Enum Named(std::string_view name, Result<Enum> (*from_string)(std::string_view)) {
    const auto named = from_string(Text(name));
    if (!named.ok()) return Spoil(), Enum{};
    return *named;
  }
  bool Flag(std::string_view name) {
    const auto flag = object_.OptionalBool(name);
    if (!flag.ok() || !*flag) return Spoil(), false;
    return **flag;
  }
  Bytes Octets(std::string_view name) {
    auto octets = FromHex(Text(name));
    if (!octets.ok()) return Spoil(), Bytes();
    return *std::move(octets);
  }
  Sha256Digest Digest(std::string_view name) {
    const Bytes octets = Octets(name);
    Sha256Digest digest{};
    if (octets.size() != digest.size()) return Spoil(), digest;
    std::copy(octets.begin(), octets.end(), digest.begin());
    return digest;
  }
  std::vector<JsonValue> Elements(std::string_view name) {
    const auto found = object_.Find(name);
    if (!found || !found->is_array()) return Spoil(), std::vector<JsonValue>();
    return found->elements();
  }
  void Spoil() { intact_ = false; }

 private:
  const JsonValue object_;
  bool intact_ = true;
};

ca::Claims ReadClaims(Reader& in) {
  ca::Claims claims;
  for (const JsonValue& row : in.Elements("claims")) {
    std::vector<std::string> texts;
    for (const JsonValue& each : row.elements()) {
      const auto text = each.AsString();
      if (!text) return in.Spoil(), claims;
      texts.emplace_back(*text);
    }
    if (texts.empty()) return in.Spoil(), claims;
    std::string name = std::move(texts.front());
    texts.erase(texts.begin());
    claims.insert_or_assign(std::move(name), std::move(texts));
  }
  return claims;
}

std::vector<ca::Component> ReadComponents(Reader& in) {
  std::vector<ca::Component> components;
  for (const JsonValue& row : in.Elements("components")) {
    Reader member(row);
    components.push_back({.kind = member.Named("kind", ca::ComponentKindFromString),
                          .hash_algorithm = member.Text("hash"),
                          .digest = member.Octets("digest"),
                          .basis = member.Named("basis", ca::BasisFromString)});
    if (!member.intact()) in.Spoil();
  }
  return components;
}

}  // namespace

std::string ToJson(const Attestation& attestation) {
  JsonWriter out;
  out.BeginObject();
  out.Member("tenant", attestation.agent.tenant);
  out.Member("agent", attestation.agent.name);
  out.Key("version").Int(attestation.agent_version);
  out.Member("format", attestation.format);
  out.Member("source", attestation.source);
  out.Key("level").Int(attestation.level);
  out.Key("keyBound").Bool(attestation.key_bound);
  if (attestation.key) out.Member("key", ToHex(*attestation.key));
  out.Member("evidenceHash", ToHex(attestation.evidence_hash));
  out.Member("replayId", WithoutNul(attestation.replay_id));
  out.Key("verifiedAt").Int(attestation.verified_at.time_since_epoch().count());
  out.Key("claims");
  WriteClaims(out, attestation.claims);
  out.Key("components");
  WriteComponents(out, attestation.components);
  out.EndObject();
  return std::move(out).Take();
}

Result<Attestation> AttestationFromJson(std::string_view json) {
  const auto document = JsonDocument::Parse(json, kLimits);
  if (!document.ok()) return Damaged("an attestation");
  const JsonValue root = document->root();
  Reader in(root);
  Attestation attestation{.agent = {in.Text("tenant"), in.Text("agent")},
                          .agent_version = in.Int("version"),
                          .format = in.Text("format"),
                          .source = in.Text("source"),
                          .level = static_cast<int>(in.Int("level")),
                          .key_bound = in.Flag("keyBound"),
                          .key = {},
                          .evidence_hash = in.Digest("evidenceHash"),
                          .replay_id = in.Text("replayId"),
                          .verified_at = Time(Seconds(in.Int("verifiedAt"))),
                          .claims = ReadClaims(in),
                          .components = ReadComponents(in)};
  if (root.Find("key")) attestation.key = in.Digest("key");
  if (!in.intact()) return Damaged("an attestation");
  return attestation;
}

}  // namespace agentca::storage
