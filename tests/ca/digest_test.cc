#include "ca/base/digest.h"

#include <gtest/gtest.h>

namespace agentca {
namespace {

TEST(Sha256Stream, SumsUpWhatCameInPieces) {
  Sha256Stream stream;
  stream.Add(AsBytes("ab"));
  stream.Add({});
  stream.Add(AsBytes("c"));
  EXPECT_EQ(stream.Finish(), Sha256(AsBytes("abc")));
  EXPECT_EQ(stream.Finish(), Sha256({}));  // it began anew
}

}  // namespace
}  // namespace agentca
