// The backend of tests: everything in maps, under one mutex, with the semantics of the others.
#pragma once

#include <memory>

#include "storage/open.h"

namespace agentca::storage {

std::unique_ptr<Backend> MakeMemoryBackend();

}  // namespace agentca::storage
