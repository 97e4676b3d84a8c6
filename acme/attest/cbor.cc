#include "acme/attest/cbor.h"

#include <cbor.h>

#include <set>
#include <tuple>

#include "ca/base/utf8.h"

namespace agentca::acme::attest {
namespace {

// One item. Its children are inside it, so that the depth limit bounds the recursion of
// destructors.
struct Node {
  CborType type = CborType::kNull;
  uint64_t number = 0;         // kNegative: -1 - number; kTag: the tag; kBool: 0 or 1
  double real = 0;             // kFloat
  Bytes octets;                // kBytes, kText
  std::vector<Node> children;  // kMap: key, value, key, value, …; kTag: one
};

const Node& NodeOf(const void* node) { return *static_cast<const Node*>(node); }

Error Malformed(std::string detail) { return {Code::kMalformed, "CBOR: " + std::move(detail)}; }

// What libcbor's decoder says of the octets at one place: one head, with the whole string when it
// is one of known length. It holds no state and allocates nothing, so that a claimed length costs
// nothing. (Its tree builder allocates what an array claims, and recurses.)
struct Event {
  enum class Kind : uint8_t { kScalar, kOpen, kClose } kind = Kind::kScalar;
  Node node;
  std::optional<uint64_t> items;  // kOpen: how many are promised; nullopt: until a break
};

void SetNumber(void* event, CborType type, uint64_t number) {
  Node& node = static_cast<Event*>(event)->node;
  node.type = type;
  node.number = number;
}
void SetReal(void* event, double real) {
  SetNumber(event, CborType::kFloat, 0);
  static_cast<Event*>(event)->node.real = real;
}
void SetOctets(void* event, CborType type, cbor_data data, size_t size) {
  SetNumber(event, type, 0);
  static_cast<Event*>(event)->node.octets.assign(data, data + size);
}
void Open(void* event, CborType type, std::optional<uint64_t> items) {
  SetNumber(event, type, 0);
  static_cast<Event*>(event)->kind = Event::Kind::kOpen;
  static_cast<Event*>(event)->items = items;
}

template <CborType type, class T>
void OnNumber(void* event, T number) {
  SetNumber(event, type, number);
}
template <CborType type>
void OnOctets(void* event, cbor_data data, size_t size) {
  SetOctets(event, type, data, size);
}
template <CborType type>
void OnOpen(void* event) {
  Open(event, type, std::nullopt);
}

cbor_callbacks MakeCallbacks() {
  cbor_callbacks on = cbor_empty_callbacks;
  on.uint8 = OnNumber<CborType::kUnsigned, uint8_t>;
  on.uint16 = OnNumber<CborType::kUnsigned, uint16_t>;
  on.uint32 = OnNumber<CborType::kUnsigned, uint32_t>;
  on.uint64 = OnNumber<CborType::kUnsigned, uint64_t>;
  on.negint8 = OnNumber<CborType::kNegative, uint8_t>;
  on.negint16 = OnNumber<CborType::kNegative, uint16_t>;
  on.negint32 = OnNumber<CborType::kNegative, uint32_t>;
  on.negint64 = OnNumber<CborType::kNegative, uint64_t>;
  on.byte_string = OnOctets<CborType::kBytes>;
  on.byte_string_start = OnOpen<CborType::kBytes>;
  on.string = OnOctets<CborType::kText>;
  on.string_start = OnOpen<CborType::kText>;
  on.array_start = [](void* event, size_t items) { Open(event, CborType::kArray, items); };
  on.indef_array_start = OnOpen<CborType::kArray>;
  on.map_start = [](void* event, size_t pairs) {
    // More pairs than there can be octets are refused all the same, and must not wrap around.
    Open(event, CborType::kMap, pairs > SIZE_MAX / 2 ? SIZE_MAX : 2 * pairs);
  };
  on.indef_map_start = OnOpen<CborType::kMap>;
  on.tag = [](void* event, uint64_t tag) {
    Open(event, CborType::kTag, 1);
    static_cast<Event*>(event)->node.number = tag;
  };
  on.float2 = [](void* event, float real) { SetReal(event, real); };
  on.float4 = [](void* event, float real) { SetReal(event, real); };
  on.float8 = [](void* event, double real) { SetReal(event, real); };
  on.boolean = [](void* event, bool value) { SetNumber(event, CborType::kBool, value ? 1 : 0); };
  on.null = [](void* event) { SetNumber(event, CborType::kNull, 0); };
  on.undefined = [](void* event) { SetNumber(event, CborType::kUndefined, 0); };
  on.indef_break = [](void* event) { static_cast<Event*>(event)->kind = Event::Kind::kClose; };
  return on;
}

// The head at the start of `octets`; moves past it.
Result<Event> NextEvent(ByteView& octets, const cbor_callbacks& callbacks) {
  Event event;
  cbor_decoder_result result;
  // libcbor 0.8 knows of the tags that fit their initial octet only 0 to 5 and 21 to 23, and takes
  // the others for errors; among them is COSE_Sign1's (18). It knows the same tags in the two-octet
  // form.
  const uint8_t first = octets.empty() ? 0 : octets.front();
  if (first >= 0xC0 && first <= 0xD7) {
    const uint8_t longer[] = {0xD8, static_cast<uint8_t>(first & 0x1F)};
    result = cbor_stream_decode(longer, sizeof longer, &callbacks, &event);
    result.read = 1;
  } else {
    result = cbor_stream_decode(octets.data(), octets.size(), &callbacks, &event);
  }
  if (result.status == CBOR_DECODER_NEDATA) return Malformed("it ends too early");
  if (result.status != CBOR_DECODER_FINISHED) return Malformed("an octet begins no item");
  octets = octets.subspan(result.read);
  return event;
}

// Builds the tree with a stack of its own: depth costs what the limit allows, not the thread's
// stack.
class Builder {
 public:
  Builder(ByteView octets, const CborLimits& limits)
      : left_(octets), size_(octets.size()), limits_(limits), callbacks_(MakeCallbacks()) {}

  Result<Node> Build() {
    while (!root_) {
      auto event = NextEvent(left_, callbacks_);
      if (!event.ok()) return At(event.error());
      if (auto status = Take(*std::move(event)); !status.ok()) return At(status.error());
    }
    if (!left_.empty()) return At(Malformed("octets follow the item"));
    return *std::move(root_);
  }

 private:
  struct Level {
    Node node;
    std::optional<uint64_t> missing;  // children; nullopt: until a break
  };

  Error At(const Error& error) const {
    return {error.code, error.detail + " (octet " + std::to_string(size_ - left_.size()) + ")"};
  }

  Status Take(Event event) {
    if (++items_ > limits_.max_items) return Malformed("there are too many items");
    switch (event.kind) {
      case Event::Kind::kOpen:
        return Enter(std::move(event));
      case Event::Kind::kClose:
        if (stack_.empty() || stack_.back().missing) return Malformed("a break ends nothing");
        return Leave();
      case Event::Kind::kScalar:
        break;
    }
    return Place(std::move(event.node));
  }

  Status Enter(Event event) {
    if (stack_.size() == limits_.max_depth) return Malformed("it is nested too deeply");
    // Each item takes an octet at least.
    if (event.items.value_or(0) > left_.size()) return Malformed("it promises more than there is");
    if (!stack_.empty() && IsString(stack_.back().node.type))
      return Malformed("no piece of a string");
    stack_.push_back({std::move(event.node), event.items});
    return stack_.back().missing == 0 ? Leave() : Status();
  }

  // The innermost level is complete: it becomes a child of the one around it, which that may
  // complete.
  Status Leave() {
    Node node = std::move(stack_.back().node);
    stack_.pop_back();
    if (node.type == CborType::kMap) AGENTCA_TRY(CheckKeys(node));
    return Place(std::move(node));
  }

  Status Place(Node node) {  // NOLINT(misc-no-recursion): as deep as the stack
    const bool is_piece = !stack_.empty() && IsString(stack_.back().node.type);
    // RFC 8949 §3.1: text is UTF-8, and §3.2.3: so is every piece of one.
    if (node.type == CborType::kText && !IsUtf8(AsText(node.octets))) {
      return Malformed("text is not UTF-8");
    }
    if (stack_.empty()) {
      root_ = std::move(node);
      return {};
    }
    Level& level = stack_.back();
    if (is_piece) {
      // §3.2.3: the pieces are strings of known length and of the same major type.
      if (node.type != level.node.type) return Malformed("no piece of a string");
      level.node.octets.insert(level.node.octets.end(), node.octets.begin(), node.octets.end());
      return {};
    }
    level.node.children.push_back(std::move(node));
    if (!level.missing || --*level.missing > 0) return {};
    return Leave();
  }

  // RFC 8949 §5.6: a map with duplicate keys is not valid. Only integers and text are keys in COSE,
  // CWT and EAT, so that equality is easy, whatever form they are written in.
  static Status CheckKeys(const Node& map) {
    if (map.children.size() % 2 != 0) return Malformed("a key of a map has no value");
    std::set<std::tuple<CborType, uint64_t, Bytes>> seen;
    for (size_t i = 0; i < map.children.size(); i += 2) {
      const Node& key = map.children[i];
      const bool fits = key.type == CborType::kUnsigned || key.type == CborType::kNegative ||
                        key.type == CborType::kText;
      if (!fits) return Malformed("a key of a map is neither an integer nor text");
      if (!seen.emplace(key.type, key.number, key.octets).second) {
        return Malformed("a map has a key twice");
      }
    }
    return {};
  }

  static bool IsString(CborType type) {
    return type == CborType::kBytes || type == CborType::kText;
  }

  ByteView left_;
  size_t size_;
  const CborLimits& limits_;
  cbor_callbacks callbacks_;
  std::vector<Level> stack_;
  size_t items_ = 0;
  std::optional<Node> root_;
};

}  // namespace

CborType CborValue::type() const { return NodeOf(node_).type; }

std::optional<int64_t> CborValue::AsInt() const {
  const Node& node = NodeOf(node_);
  if (node.number > static_cast<uint64_t>(INT64_MAX)) return std::nullopt;
  const auto number = static_cast<int64_t>(node.number);
  if (node.type == CborType::kUnsigned) return number;
  if (node.type == CborType::kNegative) return -1 - number;
  return std::nullopt;
}

std::optional<std::string> CborValue::AsIntText() const {
  const Node& node = NodeOf(node_);
  if (node.type == CborType::kUnsigned) return std::to_string(node.number);
  if (node.type != CborType::kNegative) return std::nullopt;
  if (node.number == UINT64_MAX) return "-18446744073709551616";
  return "-" + std::to_string(node.number + 1);
}

std::optional<ByteView> CborValue::AsBytes() const {
  if (type() != CborType::kBytes) return std::nullopt;
  return ByteView(NodeOf(node_).octets);
}

std::optional<std::string_view> CborValue::AsText() const {
  if (type() != CborType::kText) return std::nullopt;
  return agentca::AsText(NodeOf(node_).octets);
}

std::optional<bool> CborValue::AsBool() const {
  if (type() != CborType::kBool) return std::nullopt;
  return NodeOf(node_).number == 1;
}

std::optional<double> CborValue::AsNumber() const {
  const Node& node = NodeOf(node_);
  if (node.type == CborType::kFloat) return node.real;
  if (node.type == CborType::kUnsigned) return static_cast<double>(node.number);
  if (node.type == CborType::kNegative) return -1.0 - static_cast<double>(node.number);
  return std::nullopt;
}

std::vector<CborValue> CborValue::elements() const {
  std::vector<CborValue> out;
  if (type() != CborType::kArray) return out;
  for (const Node& child : NodeOf(node_).children) out.push_back(CborValue(&child));
  return out;
}

std::vector<std::pair<CborValue, CborValue>> CborValue::members() const {
  std::vector<std::pair<CborValue, CborValue>> out;
  if (type() != CborType::kMap) return out;
  const std::vector<Node>& children = NodeOf(node_).children;
  for (size_t i = 0; i < children.size(); i += 2) {
    out.emplace_back(CborValue(&children[i]), CborValue(&children[i + 1]));
  }
  return out;
}

std::optional<CborValue> CborValue::Find(int64_t key) const {
  for (const auto& [name, value] : members()) {
    if (name.AsInt() == key) return value;
  }
  return std::nullopt;
}

std::optional<CborValue> CborValue::Find(std::string_view key) const {
  for (const auto& [name, value] : members()) {
    if (name.AsText() == key) return value;
  }
  return std::nullopt;
}

std::optional<std::pair<uint64_t, CborValue>> CborValue::AsTagged() const {
  const Node& node = NodeOf(node_);
  if (node.type != CborType::kTag) return std::nullopt;
  return std::pair(node.number, CborValue(&node.children.front()));
}

struct CborDocument::Rep {
  Node root;
};

CborDocument::CborDocument(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
CborDocument::CborDocument(CborDocument&&) noexcept = default;
CborDocument& CborDocument::operator=(CborDocument&&) noexcept = default;
CborDocument::~CborDocument() = default;
CborValue CborDocument::root() const { return CborValue(&rep_->root); }

Result<CborDocument> CborDocument::Parse(ByteView octets, const CborLimits& limits) {
  if (octets.size() > limits.max_size) return Malformed("it is too large");
  AGENTCA_ASSIGN(Node root, Builder(octets, limits).Build());
  return CborDocument(std::make_unique<Rep>(Rep{std::move(root)}));
}

CborWriter& CborWriter::Head(Encode encode, size_t value) {
  unsigned char head[9];
  const size_t size = encode(value, head, sizeof head);
  out_.insert(out_.end(), head, head + size);
  return *this;
}

CborWriter& CborWriter::Array(size_t elements) { return Head(cbor_encode_array_start, elements); }
CborWriter& CborWriter::Map(size_t members) { return Head(cbor_encode_map_start, members); }
CborWriter& CborWriter::Tag(uint64_t tag) { return Head(cbor_encode_tag, tag); }

CborWriter& CborWriter::Int(int64_t value) {
  if (value >= 0) return Head(cbor_encode_uint, static_cast<uint64_t>(value));
  return Head(cbor_encode_negint, static_cast<uint64_t>(-1 - value));
}

CborWriter& CborWriter::Octets(ByteView value) {
  Head(cbor_encode_bytestring_start, value.size());
  out_.insert(out_.end(), value.begin(), value.end());
  return *this;
}

CborWriter& CborWriter::Text(std::string_view value) {
  Head(cbor_encode_string_start, value.size());
  const ByteView octets = AsBytes(value);
  out_.insert(out_.end(), octets.begin(), octets.end());
  return *this;
}

}  // namespace agentca::acme::attest
