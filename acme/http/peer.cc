#include "acme/http/peer.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <cassert>

namespace agentca::acme::http {

std::string NumericAddress(ByteView octets) {
  using namespace boost::asio::ip;
  assert(octets.size() == 4 || octets.size() == 16);
  if (octets.size() == 4) {
    address_v4::bytes_type v4;
    std::copy(octets.begin(), octets.end(), v4.begin());
    return address_v4(v4).to_string();
  }
  address_v6::bytes_type v6;
  std::copy(octets.begin(), octets.end(), v6.begin());
  const address_v6 address(v6);
  return address.is_v4_mapped() ? make_address_v4(v4_mapped, address).to_string()
                                : address.to_string();
}

}  // namespace agentca::acme::http
