// SPDX-License-Identifier: Apache-2.0
// What a driver meets on administration virtqueues, for the test of the seeded faults.
#pragma once

namespace vitro::ref {

class Tourist;

void AdminLists(Tourist& t);
void AdminObjects(Tourist& t);
void AdminShort(Tourist& t);

}  // namespace vitro::ref
