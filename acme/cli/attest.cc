#include "acme/cli/attest.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "acme/cli/config.h"
#include "acme/cli/web_client.h"
#include "acme/json.h"

namespace agentca::cli {
namespace {

constexpr int kTries = 4;  // while the CA says 503: the keys of an issuer are out of reach
constexpr int kLongestPause = 20;  // seconds

// What the CA wants, from GET on a drop or on the grant resource.
struct Wanted {
  Demand demand;
  std::vector<std::string> formats;
  bool key_required = false;
  std::string token;  // grants
  bool done = false;  // evidence lies there already
};

std::string ProblemText(const WebResponse& answer) {
  const auto document = acme::JsonDocument::Parse(answer.body);
  if (document.ok()) {
    const auto detail = document->root().Find("detail");
    const auto text = detail ? detail->AsString() : std::nullopt;
    if (text) return std::string(*text);
  }
  return "HTTP status " + std::to_string(answer.status);
}

Error Refusal(const WebResponse& answer) {
  return {answer.status == 503 ? Code::kUnavailable : Code::kUnauthorized,
          "the CA refused: " + ProblemText(answer)};
}

// The CA says how long its own trouble may last; a hook has not for ever.
std::chrono::seconds PauseOf(const WebResponse& answer) {
  const auto seconds = ParseCount(answer.retry_after, 1, kLongestPause);
  return std::chrono::seconds(seconds.ok() ? *seconds : 2);
}

Result<WebResponse> AskPatiently(const WebRequest& request) {
  for (int tries = 1;; ++tries) {
    AGENTCA_ASSIGN(WebResponse answer, Ask(request));
    if (answer.status != 503 || tries == kTries) return answer;
    std::this_thread::sleep_for(PauseOf(answer));
  }
}

Result<acme::JsonDocument> AskForObject(const WebRequest& request, int expected) {
  AGENTCA_ASSIGN(const WebResponse answer, AskPatiently(request));
  if (answer.status != expected) return Refusal(answer);
  auto document = acme::JsonDocument::Parse(answer.body);
  if (document.ok() && document->root().is_object()) return document;
  return Error{Code::kUnavailable, request.url + ": the answer is no JSON object"};
}

void BindKey(const AttestPlan& plan, Demand& demand) {
  if (plan.certificate_key != nullptr) demand.key = plan.certificate_key->public_key();
}

Result<Wanted> AskWhatIsWanted(const AttestPlan& plan, const std::string& url, Time now) {
  AGENTCA_ASSIGN(const acme::JsonDocument document,
                 AskForObject({.url = url, .body = "", .ca_file = plan.ca_file}, 200));
  const acme::JsonValue root = document.root();
  Wanted wanted;
  wanted.demand.now = now;
  AGENTCA_ASSIGN(wanted.demand.audience, root.String("audience"));
  AGENTCA_ASSIGN(const std::string nonce, root.String("nonce"));
  AGENTCA_ASSIGN(wanted.demand.nonce, ParseTxtValue(nonce));
  AGENTCA_ASSIGN(auto formats, root.OptionalStrings("formats"));
  wanted.formats = std::move(formats).value_or(std::vector<std::string>());
  AGENTCA_ASSIGN(const auto binding, root.OptionalString("keyBinding"));
  wanted.key_required = binding == "required";
  AGENTCA_ASSIGN(const auto token, root.OptionalString("token"));
  wanted.token = token.value_or("");
  AGENTCA_ASSIGN(const auto status, root.OptionalString("status"));
  wanted.done = status == "dropped";
  BindKey(plan, wanted.demand);
  return wanted;
}

Status CheckPossible(const Wanted& wanted, std::string_view format) {
  const auto& formats = wanted.formats;
  if (std::find(formats.begin(), formats.end(), format) == formats.end()) {
    std::string known;
    for (const std::string& each : formats) known += (known.empty() ? "" : ", ") + each;
    return Error{Code::kUnauthorized, "the CA does not take " + std::string(format) +
                                          " evidence for this agent, but: " +
                                          (known.empty() ? "none" : known)};
  }
  if (wanted.key_required && !wanted.demand.key) {
    return Error{Code::kMalformed,
                 "the agent's class demands that evidence is bound to the certificate key: "
                 "name its file with --certificate-key"};
  }
  return {};
}

// The members of the response to the challenge; the caller adds its own and ends the object.
Status WriteStatement(const AttestPlan& plan, const Demand& demand, const Collected& collected,
                      acme::JsonWriter& json) {
  json.Member("fmt", plan.collector.format()).Member("evidence", ToBase64Url(collected.evidence));
  if (!collected.chain.empty()) {
    json.Key("chain").BeginArray();
    for (const Bytes& certificate : collected.chain) json.String(ToBase64Url(certificate));
    json.EndArray();
  }
  if (plan.certificate_key != nullptr) {
    AGENTCA_ASSIGN(const Bytes pop, plan.certificate_key->Sign(MessageFor(demand)));
    json.Member("spki", ToBase64Url(plan.certificate_key->public_key().spki()));
    json.Member("pop", ToBase64Url(pop));
  }
  return {};
}

// Asked before anything is collected, as far as it can be known: evidence may be dear.
Status WriteEvidence(const AttestPlan& plan, const Wanted& wanted, acme::JsonWriter& json) {
  AGENTCA_TRY(CheckPossible(wanted, plan.collector.format()));
  AGENTCA_ASSIGN(const Collected collected, plan.collector.Collect(wanted.demand));
  return WriteStatement(plan, wanted.demand, collected, json);
}

WebRequest JsonPost(const AttestPlan& plan, const std::string& url, std::string json) {
  return {.url = url,
          .body = std::move(json),
          .headers = {{"Content-Type", "application/json"}},
          .ca_file = plan.ca_file};
}

}  // namespace

Result<std::string> ProveAtDrop(const AttestPlan& plan, const ProofRequest& request, Time now) {
  const std::string url = plan.server + "/acme/drop/" + PercentEncode(request.dns_name) + "/" +
                          ToBase64Url(request.nonce);
  AGENTCA_ASSIGN(const Wanted wanted, AskWhatIsWanted(plan, url, now));
  if (wanted.demand.nonce != request.nonce) {
    return Error{Code::kUnavailable, url + ": the answer is for another challenge"};
  }
  if (wanted.done) return request.dns_name + ": evidence lies there already";
  acme::JsonWriter json;
  json.BeginObject();
  AGENTCA_TRY(WriteEvidence(plan, wanted, json));
  json.EndObject();
  AGENTCA_ASSIGN(const acme::JsonDocument dropped,
                 AskForObject(JsonPost(plan, url, std::move(json).Take()), 200));
  AGENTCA_ASSIGN(const std::string agent, dropped.root().String("agent"));
  AGENTCA_ASSIGN(const std::string format, dropped.root().String("format"));
  AGENTCA_ASSIGN(const auto level, dropped.root().OptionalInt("level"));
  return request.dns_name + ": proven as " + agent + " by " + format + ", level " +
         std::to_string(level.value_or(0));
}

Result<std::string> MakeResponse(const AttestPlan& plan, const Demand& demand) {
  Demand bound = demand;
  BindKey(plan, bound);
  AGENTCA_ASSIGN(const Collected collected, plan.collector.Collect(bound));
  acme::JsonWriter json;
  json.BeginObject();
  AGENTCA_TRY(WriteStatement(plan, bound, collected, json));
  json.EndObject();
  return std::move(json).Take();
}

Result<GrantedBinding> AskForGrant(const AttestPlan& plan, const std::string& dns_name, Time now) {
  const std::string url = plan.server + "/acme/grant";
  AGENTCA_ASSIGN(const Wanted wanted,
                 AskWhatIsWanted(plan, url + "?agent=" + PercentEncode(dns_name), now));
  acme::JsonWriter json;
  json.BeginObject().Member("agent", dns_name).Member("token", wanted.token);
  AGENTCA_TRY(WriteEvidence(plan, wanted, json));
  json.EndObject();
  AGENTCA_ASSIGN(const acme::JsonDocument granted,
                 AskForObject(JsonPost(plan, url, std::move(json).Take()), 201));
  GrantedBinding binding;
  AGENTCA_ASSIGN(binding.key_id, granted.root().String("kid"));
  AGENTCA_ASSIGN(binding.hmac_key, granted.root().String("hmacKey"));
  AGENTCA_ASSIGN(binding.agent, granted.root().String("agent"));
  AGENTCA_ASSIGN(binding.expires, granted.root().String("expires"));
  return binding;
}

}  // namespace agentca::cli
