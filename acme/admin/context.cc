#include "acme/admin/context.h"

#include <algorithm>
#include <charconv>

#include "acme/admin/agent_json.h"
#include "ca/base/log.h"

namespace agentca::acme::admin {
namespace {

constexpr size_t kMaxPage = 1000;
constexpr size_t kDefaultPage = 100;
constexpr size_t kMaxReason = 256;
constexpr size_t kMaxAudited = 4096;  // octets of a detail; longer ones go in as their hash

Error Bad(std::string detail) { return {Code::kMalformed, std::move(detail)}; }

Result<std::string> PercentDecoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    const auto octet =
        text.size() - i > 2 ? FromHex(text.substr(i + 1, 2)) : Result<Bytes>(Bad(""));
    if (!octet.ok()) return Bad("the query has a broken percent-escape");
    out.push_back(static_cast<char>(octet->front()));
    i += 2;
  }
  return out;
}

template <class Number>
Result<Number> Parsed(const std::string& name, const std::string& text, Number min, Number max) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < min || value > max)
    return Bad("query parameter " + name + ": must be a number from " + std::to_string(min) +
               " to " + std::to_string(max));
  return value;
}

}  // namespace

Result<JsonDocument> Call::Body() const {
  const std::string_view type = request.Header("Content-Type");
  if (type.substr(0, type.find(';')) != "application/json")
    return Error{Code::kUnsupportedMediaType, "the body must be of type application/json"};
  return JsonDocument::Parse(request.body);
}

Result<ca::AgentId> Call::Agent() const { return ca::ParseAgentId(ids.at(0) + "/" + ids.at(1)); }

Result<Query> Query::Parse(std::string_view text, std::initializer_list<std::string_view> known) {
  Query query;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(pair.size() + 1, text.size()));
    const size_t sign = std::min(pair.find('='), pair.size());
    const std::string_view name = pair.substr(0, sign);
    if (std::find(known.begin(), known.end(), name) == known.end())
      return Bad("there is no query parameter \"" + std::string(name.substr(0, 64)) + "\" here");
    AGENTCA_ASSIGN(std::string value, PercentDecoded(pair.substr(std::min(sign + 1, pair.size()))));
    if (!query.values_.emplace(name, std::move(value)).second)
      return Bad("query parameter " + std::string(name) + " is there twice");
  }
  return query;
}

std::string Query::Text(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? "" : found->second;
}

Result<size_t> Query::Limit() const {
  if (!Has("limit")) return kDefaultPage;
  return Parsed<size_t>("limit", Text("limit"), 1, kMaxPage);
}

Result<int64_t> Query::AfterSequence() const {
  if (!Has("after")) return int64_t{0};
  return Parsed<int64_t>("after", Text("after"), 0, INT64_MAX);
}

Status Context::Audit(const Call& call, std::string_view event, std::string_view subject,
                      std::string_view detail) const {
  const std::string by = call.caller.ToString();
  const std::string hash =
      detail.size() > kMaxAudited ? "sha256 " + ToHex(Sha256(AsBytes(detail))) : std::string();
  return parts.memory.audit.Append(event,
                                   {{"by", by},
                                    {"certificate", call.serial},
                                    {"from", call.request.remote_address},
                                    {"subject", subject},
                                    {"detail", hash.empty() ? detail : std::string_view(hash)}},
                                   call.now);
}

void Context::AuditFailure(const Call& call, std::string_view event, std::string_view subject,
                           const Error& error) const {
  const std::string name = std::string(event) + "-failed";
  const Status noted = Audit(call, name, subject, error.detail);
  if (!noted.ok())
    Log(Level::kError, "cannot audit a failed change",
        {{"event", name}, {"error", noted.error().detail}});
}

http::Response JsonResponse(int status, std::string body) {
  http::Response response;
  response.status = status;
  response.body = std::move(body);
  return response.With("Content-Type", "application/json");
}

http::Response EventPage(std::vector<ca::AgentEvent> events, size_t limit) {
  const bool more = events.size() > limit;
  if (more) events.resize(limit);
  JsonWriter json;
  json.BeginObject().Key("events").BeginArray();
  for (const auto& event : events) WriteEvent(json, event);
  json.EndArray();
  if (more) json.Key("next").Int(events.back().sequence);
  json.EndObject();
  return JsonResponse(200, std::move(json).Take());
}

Result<std::string> ReadReason(const JsonValue& body) {
  AGENTCA_ASSIGN(std::string reason, body.String("reason"));
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; };
  if (reason.empty() || reason.size() > kMaxReason ||
      std::any_of(reason.begin(), reason.end(), is_control))
    return Bad("member \"reason\" must be one line of 1 to 256 octets");
  return reason;
}

}  // namespace agentca::acme::admin
