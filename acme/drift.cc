#include "acme/drift.h"

#include <algorithm>

#include "ca/base/log.h"

namespace agentca::acme {
namespace {

constexpr size_t kLookBack = 8;  // rows, newest first

std::string Text(const ca::Component& component) {
  return component.hash_algorithm + ":" + ToHex(component.digest);
}

const ca::Component* FindKind(const std::vector<ca::Component>& components,
                              const ca::Component& like) {
  const auto found = std::find_if(components.begin(), components.end(), [&](const auto& each) {
    return each.kind == like.kind && each.hash_algorithm == like.hash_algorithm;
  });
  return found == components.end() ? nullptr : &*found;
}

bool Holds(const std::vector<ca::Component>& components, const ca::Component& wanted) {
  return std::any_of(components.begin(), components.end(), [&](const auto& each) {
    return each.kind == wanted.kind && each.hash_algorithm == wanted.hash_algorithm &&
           each.digest == wanted.digest;
  });
}

void CompareText(std::vector<std::string>& out, std::string_view what, const std::string& before,
                 const std::string& after) {
  if (before == after || before.empty()) return;
  out.push_back(std::string(what) + " was " + before + ", is " + after);
}

// What was only declared changes with the registration, whose history says so.
void CompareComponents(std::vector<std::string>& out, const std::vector<ca::Component>& before,
                       const std::vector<ca::Component>& after) {
  for (const ca::Component& each : after) {
    const std::string name = "component " + std::string(ToString(each.kind));
    const ca::Component* past = FindKind(before, each);
    if (each.basis == ca::Basis::kDeclared && (!past || past->basis == ca::Basis::kDeclared)) {
      continue;
    }
    if (past == nullptr) {
      out.push_back(name + " is new: " + Text(each));
    } else if (!Holds(before, each)) {
      out.push_back(name + " was " + Text(*past) + ", is " + Text(each));
    } else if (each.basis < past->basis) {
      out.push_back(name + " was " + std::string(ToString(past->basis)) + ", is " +
                    std::string(ToString(each.basis)));
    }
  }
  for (const ca::Component& each : before) {
    if (each.basis == ca::Basis::kDeclared || FindKind(after, each) != nullptr) continue;
    out.push_back("component " + std::string(ToString(each.kind)) + " is no longer proven");
  }
}

Result<std::string> SourceOf(const Context& context, const ca::AgentId& agent,
                             const Bytes& evidence_hash) {
  AGENTCA_ASSIGN(const auto records, context.memory.store.ListAttestations(
                                         {.agent = agent, .after = {}, .limit = kLookBack}));
  for (const AttestationRecord& record : records) {
    const Sha256Digest& hash = record.attestation.evidence_hash;
    if (std::equal(hash.begin(), hash.end(), evidence_hash.begin(), evidence_hash.end())) {
      return record.attestation.source;
    }
  }
  return std::string();
}

Result<std::optional<Appearance>> AppearanceOf(const Context& context, const ca::AgentId& agent,
                                               const Bytes& der) {
  AGENTCA_ASSIGN(auto identity, ca::AgentIdentityOf(der, context.agents->parts.arc));
  if (!identity) return std::optional<Appearance>();
  Appearance out;
  out.identity = *std::move(identity);
  AGENTCA_ASSIGN(out.source, SourceOf(context, agent, out.identity.attestation.evidence_hash));
  return std::optional<Appearance>(std::move(out));
}

Result<std::optional<Appearance>> Previous(const Context& context, const OrderView& view,
                                           const ca::AgentId& agent) {
  ca::CertificateFilter filter;
  filter.name = context.agents->parts.naming.DnsNameOf(agent);
  filter.limit = kLookBack;
  AGENTCA_ASSIGN(const auto records, context.memory.certificates.List(filter));
  for (const ca::CertificateRecord& record : records) {
    if (record.reference == view.order.id || record.state != ca::SerialState::kIssued) continue;
    return AppearanceOf(context, agent, record.der);
  }
  return std::optional<Appearance>();
}

Result<std::vector<std::string>> FindDrift(const Context& context, const OrderView& view,
                                           const Attestation& attestation,
                                           const ca::Certificate& certificate) {
  AGENTCA_ASSIGN(const ca::Agent agent,
                 context.agents->parts.registry.FindAgent(attestation.agent));
  std::vector<std::string> out = Contradictions(agent, attestation.components);
  AGENTCA_ASSIGN(const auto before, Previous(context, view, attestation.agent));
  AGENTCA_ASSIGN(auto after, AppearanceOf(context, attestation.agent, certificate.der));
  if (!before || !after) return out;
  after->source = attestation.source;
  for (std::string& each : Differences(*before, *after)) out.push_back(std::move(each));
  return out;
}

Status Note(Context& context, const OrderView& view, const ca::AgentId& agent,
            const std::vector<std::string>& drift, Time now) {
  std::string detail;
  for (const std::string& each : drift) detail += (detail.empty() ? "" : "; ") + each;
  const std::string name = agent.ToString();
  AGENTCA_TRY(context.memory.audit.Append(
      "agent-drift", {{"agent", name}, {"order", view.order.id}, {"detail", detail}}, now));
  return context.agents->parts.registry.NoteAgentEvent(agent, "drift", detail,
                                                       {.by = "order " + view.order.id, .at = now});
}

}  // namespace

std::vector<std::string> Differences(const Appearance& before, const Appearance& after) {
  std::vector<std::string> out;
  const auto& was = before.identity.attestation;
  const auto& is = after.identity.attestation;
  CompareText(out, "format of the evidence", was.format, is.format);
  CompareText(out, "source of the evidence", before.source, after.source);
  CompareText(out, "level", std::to_string(was.level), std::to_string(is.level));
  if (was.key_bound && !is.key_bound)
    out.emplace_back("the key is no longer bound by the evidence");
  CompareComponents(out, before.identity.components, after.identity.components);
  return out;
}

std::vector<std::string> Contradictions(const ca::Agent& agent,
                                        const std::vector<ca::Component>& proven) {
  std::vector<std::string> out;
  for (const ca::Component& declared : agent.components) {
    const ca::Component* found = FindKind(proven, declared);
    if (found == nullptr || Holds(proven, declared)) continue;
    out.push_back("component " + std::string(ToString(declared.kind)) + " is registered as " +
                  Text(declared) + ", the evidence says " + Text(*found));
  }
  return out;
}

void NoteDrift(Context& context, const OrderView& view, const ca::Certificate& certificate,
               Time now) {
  const Attestation& attestation = *view.authorizations.front().attestation;
  const auto drift = FindDrift(context, view, attestation, certificate);
  Status noted = drift.ok() ? Status() : Status(drift.error());
  if (drift.ok() && !drift->empty()) noted = Note(context, view, attestation.agent, *drift, now);
  if (noted.ok()) return;
  Log(Level::kError, "drift of an agent could not be noted",
      {{"order", view.order.id}, {"detail", noted.error().detail}});
}

}  // namespace agentca::acme
