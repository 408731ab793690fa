// What a process of the gateway gets before anything else.
#pragma once

namespace cli {

// Descriptors 0 to 2 that are closed are opened on /dev/null: a socket that got one of these numbers would be written log lines.
void OpenStandardStreams();

// The soft limit of open files becomes the hard one.
void RaiseFileLimit();

}  // namespace cli
