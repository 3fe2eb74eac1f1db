// SPDX-License-Identifier: Apache-2.0
// The files of checks, one function each; they append in the order of the standard's clauses.
#pragma once

#include <vector>

#include "suite/checks/check.h"

namespace vitro {

void AddStatusChecks(std::vector<Check>& list);         // 2.1
void AddFeatureChecks(std::vector<Check>& list);        // 2.2, 6
void AddResetChecks(std::vector<Check>& list);          // 2.4
void AddConfigChecks(std::vector<Check>& list);         // 2.5
void AddQueueChecks(std::vector<Check>& list);          // 2.6
void AddFramingChecks(std::vector<Check>& list);        // 2.7.4
void AddDescriptorChecks(std::vector<Check>& list);     // 2.7.5
void AddIndirectChecks(std::vector<Check>& list);       // 2.7.5.3
void AddUsedRingChecks(std::vector<Check>& list);       // 2.7.8
void AddSuppressionChecks(std::vector<Check>& list);    // 2.7.7, 2.7.10
void AddEventIdxChecks(std::vector<Check>& list);       // the same with EVENT_IDX; called by that
void AddPackedChecks(std::vector<Check>& list);         // 2.8
void AddPackedEventChecks(std::vector<Check>& list);    // 2.8.10; called by that
void AddPackedHostileChecks(std::vector<Check>& list);  // drivers that break the rules; likewise
void AddHostileChecks(std::vector<Check>& list);        // 2.7, drivers that break the rules
void AddSuspendChecks(std::vector<Check>& list);        // 3.4
void AddAdminListChecks(std::vector<Check>& list);      // 2.12.1
void AddAdminCommandChecks(std::vector<Check>& list);   // 2.12.1.5
void AddAdminObjectChecks(std::vector<Check>& list);    // 2.12.1.2, 2.12.1.3
void AddAdminQueueChecks(std::vector<Check>& list);     // 2.13
void AddSriovChecks(std::vector<Check>& list);          // 2.12.1.1, 2.12.1.4, 2.14: SR-IOV groups
void AddPciHostileChecks(std::vector<Check>& list);     // 4.1, drivers that break the rules
void AddPciDiscoveryChecks(std::vector<Check>& list);   // 4.1.1, 4.1.2, 4.1.5.1.2: table size
void AddPciCapabilityChecks(std::vector<Check>& list);  // 4.1.4
void AddPciCommonChecks(std::vector<Check>& list);      // 4.1.4.3, 4.1.3
void AddPciResetChecks(std::vector<Check>& list);       // 4.1.4.3: resets
void AddPciNotifyChecks(std::vector<Check>& list);      // 4.1.4.4, 4.1.5.2
void AddPciWindowChecks(std::vector<Check>& list);      // 4.1.4.9
void AddPciLegacyChecks(std::vector<Check>& list);      // 4.1.4.10 and other legacy sections
void AddPciInterruptChecks(std::vector<Check>& list);   // 4.1.4.5, 4.1.5.3, 4.1.5.4
void AddPciMsixChecks(std::vector<Check>& list);        // 4.1.5.1.2
void AddPciMsixTableChecks(std::vector<Check>& list);   // the same: masks, entries; called by that
void AddPciMsixSwitchChecks(std::vector<Check>& list);  // the same: INTx, reset; called by that
void AddMmioChecks(std::vector<Check>& list);           // 4.2
void AddBlkChecks(std::vector<Check>& list);            // 5.2
void AddBlkZonedChecks(std::vector<Check>& list);       // 5.2, zoned
void AddProfileChecks(std::vector<Check>& list);        // 5, what profiles say of a type
void AddEntropyChecks(std::vector<Check>& list);        // 5.4

}  // namespace vitro
