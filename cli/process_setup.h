// What a process of the gateway gets before anything else.
#pragma once

namespace cli {

// Descriptors 0 to 2 that are closed are opened on /dev/null: a socket that got one of these numbers would be written log lines.
void OpenStandardStreams();

// The soft limit of open files becomes the hard one.
void RaiseFileLimit();

// Blocks of 256 KiB and more are mapped each by itself and go back to the system when they are free, so that limits.memory bounds what the
// process takes, too: glibc raises that size to that of the largest block that was freed, and keeps what lies between others.
void GiveLargeBlocksBack();

// What only the start needed goes back to the system: free memory, and pages of code, which are there again when they are run. Once, when
// the gateway is ready.
void GiveTheStartBack();

}  // namespace cli
