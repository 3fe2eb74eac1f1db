// SPDX-License-Identifier: Apache-2.0
// The vhost-user protocol (QEMU, docs/interop/vhost-user.rst): message ids, flags, payloads and
// protocol feature bits. Facts only. All fields are in the machine's byte order, which for the
// hosts we run on is little-endian.
#pragma once

#include <cstdint>

namespace vitro::vhost_user {

// Header: u32 request, u32 flags, u32 size of the payload.
inline constexpr uint32_t kHeaderSize = 12;
inline constexpr uint32_t kFlagVersionMask = 3;
inline constexpr uint32_t kFlagVersion = 1;
inline constexpr uint32_t kFlagReply = 1u << 2;
inline constexpr uint32_t kFlagNeedReply = 1u << 3;
// At most this many descriptors travel with one message, in either direction.
inline constexpr uint32_t kMaxFds = 8;

// Front-end to back-end.
enum class Request : uint32_t {
  kNone = 0,
  kGetFeatures = 1,
  kSetFeatures = 2,
  kSetOwner = 3,
  kResetOwner = 4,  // deprecated
  kSetMemTable = 5,
  kSetLogBase = 6,
  kSetLogFd = 7,
  kSetVringNum = 8,
  kSetVringAddr = 9,
  kSetVringBase = 10,
  kGetVringBase = 11,
  kSetVringKick = 12,
  kSetVringCall = 13,
  kSetVringErr = 14,
  kGetProtocolFeatures = 15,
  kSetProtocolFeatures = 16,
  kGetQueueNum = 17,
  kSetVringEnable = 18,
  kSendRarp = 19,
  kNetSetMtu = 20,
  kSetBackendReqFd = 21,
  kIotlbMsg = 22,
  kSetVringEndian = 23,
  kGetConfig = 24,
  kSetConfig = 25,
  kCreateCryptoSession = 26,
  kCloseCryptoSession = 27,
  kPostcopyAdvise = 28,
  kPostcopyListen = 29,
  kPostcopyEnd = 30,
  kGetInflightFd = 31,
  kSetInflightFd = 32,
  kGpuSetSocket = 33,
  kResetDevice = 34,
  kVringKick = 35,
  kGetMaxMemSlots = 36,
  kAddMemReg = 37,
  kRemMemReg = 38,
  kSetStatus = 39,
  kGetStatus = 40,
};

// Back-end to front-end, on the channel given by SET_BACKEND_REQ_FD.
enum class BackendRequest : uint32_t {
  kNone = 0,
  kIotlbMsg = 1,
  kConfigChangeMsg = 2,
  kVringHostNotifierMsg = 3,
  kVringCall = 4,
  kVringErr = 5,
  kSharedObjectAdd = 6,
  kSharedObjectRemove = 7,
  kSharedObjectLookup = 8,
};

// Feature bits of the carrier itself: no driver may see them.
inline constexpr unsigned kFeatureLogAll = 26;            // VHOST_F_LOG_ALL
inline constexpr unsigned kFeatureProtocolFeatures = 30;  // VHOST_USER_F_PROTOCOL_FEATURES

namespace protocol_feature {
inline constexpr unsigned kMq = 0;
inline constexpr unsigned kLogShmfd = 1;
inline constexpr unsigned kRarp = 2;
inline constexpr unsigned kReplyAck = 3;
inline constexpr unsigned kMtu = 4;
inline constexpr unsigned kBackendReq = 5;
inline constexpr unsigned kCrossEndian = 6;
inline constexpr unsigned kCryptoSession = 7;
inline constexpr unsigned kPagefault = 8;
inline constexpr unsigned kConfig = 9;
inline constexpr unsigned kBackendSendFd = 10;
inline constexpr unsigned kHostNotifier = 11;
inline constexpr unsigned kInflightShmfd = 12;
inline constexpr unsigned kResetDevice = 13;
inline constexpr unsigned kInbandNotifications = 14;
inline constexpr unsigned kConfigureMemSlots = 15;
inline constexpr unsigned kStatus = 16;
}  // namespace protocol_feature

// SET_VRING_KICK, SET_VRING_CALL, SET_VRING_ERR: u64 of ring index (bits 0-7) and this bit.
inline constexpr uint64_t kVringIndexMask = 0xff;
inline constexpr uint64_t kVringNoFd = 1u << 8;
// So a device behind vhost-user has at most so many virtqueues.
inline constexpr uint32_t kMaxVrings = 256;

// SET_VRING_NUM, SET_VRING_BASE, GET_VRING_BASE, SET_VRING_ENABLE, VRING_KICK, VRING_CALL,
// VRING_ERR.
struct VringState {
  uint32_t index;
  uint32_t num;
};
static_assert(sizeof(VringState) == 8);

// SET_VRING_ADDR. Addresses are user addresses (or I/O virtual ones with VIRTIO_F_ACCESS_PLATFORM).
struct VringAddr {
  uint32_t index;
  uint32_t flags;
  uint64_t desc;
  uint64_t used;
  uint64_t avail;
  uint64_t log;
};
static_assert(sizeof(VringAddr) == 40);

// SET_MEM_TABLE: u32 number of regions, u32 padding, regions; ADD_MEM_REG: u64 padding, one region.
struct MemoryRegion {
  uint64_t guest_address;
  uint64_t size;
  uint64_t user_address;
  uint64_t mmap_offset;
};
static_assert(sizeof(MemoryRegion) == 32);
inline constexpr uint32_t kMaxTableRegions = 8;

// GET_CONFIG, SET_CONFIG: this, then `size` bytes.
struct ConfigHeader {
  uint32_t offset;
  uint32_t size;
  uint32_t flags;
};
static_assert(sizeof(ConfigHeader) == 12);
inline constexpr uint32_t kMaxConfigSize = 256;  // VHOST_USER_MAX_CONFIG_SIZE
inline constexpr uint32_t kConfigWritable = 0;   // flags: fields that a driver may write
inline constexpr uint32_t kConfigMigration = 1;  // flags: migration restores any field

// GET_INFLIGHT_FD, SET_INFLIGHT_FD: 20 bytes that every implementation sends padded to 24.
struct Inflight {
  uint64_t mmap_size;
  uint64_t mmap_offset;
  uint16_t queue_count;
  uint16_t queue_size;
  uint32_t padding;
};
static_assert(sizeof(Inflight) == 24);

// IOTLB_MSG.
struct IotlbMessage {
  uint64_t iova;
  uint64_t size;
  uint64_t user_address;
  uint8_t permissions;  // 1 read, 2 write
  uint8_t type;
  uint8_t padding[6];
};
static_assert(sizeof(IotlbMessage) == 32);
inline constexpr uint8_t kIotlbMiss = 1, kIotlbUpdate = 2, kIotlbInvalidate = 3, kIotlbFail = 4;

// The ring index of SET_VRING_BASE in a packed virtqueue: 15 bits of index and the wrap counter,
// the available side in the low half and the used side in the high half. A fresh ring starts with
// both wrap counters 1 (section 2.8.1).
inline constexpr uint32_t kPackedFreshBase = 0x80008000;

constexpr const char* Name(Request request) {
  constexpr const char* kNames[] = {"NONE",
                                    "GET_FEATURES",
                                    "SET_FEATURES",
                                    "SET_OWNER",
                                    "RESET_OWNER",
                                    "SET_MEM_TABLE",
                                    "SET_LOG_BASE",
                                    "SET_LOG_FD",
                                    "SET_VRING_NUM",
                                    "SET_VRING_ADDR",
                                    "SET_VRING_BASE",
                                    "GET_VRING_BASE",
                                    "SET_VRING_KICK",
                                    "SET_VRING_CALL",
                                    "SET_VRING_ERR",
                                    "GET_PROTOCOL_FEATURES",
                                    "SET_PROTOCOL_FEATURES",
                                    "GET_QUEUE_NUM",
                                    "SET_VRING_ENABLE",
                                    "SEND_RARP",
                                    "NET_SET_MTU",
                                    "SET_BACKEND_REQ_FD",
                                    "IOTLB_MSG",
                                    "SET_VRING_ENDIAN",
                                    "GET_CONFIG",
                                    "SET_CONFIG",
                                    "CREATE_CRYPTO_SESSION",
                                    "CLOSE_CRYPTO_SESSION",
                                    "POSTCOPY_ADVISE",
                                    "POSTCOPY_LISTEN",
                                    "POSTCOPY_END",
                                    "GET_INFLIGHT_FD",
                                    "SET_INFLIGHT_FD",
                                    "GPU_SET_SOCKET",
                                    "RESET_DEVICE",
                                    "VRING_KICK",
                                    "GET_MAX_MEM_SLOTS",
                                    "ADD_MEM_REG",
                                    "REM_MEM_REG",
                                    "SET_STATUS",
                                    "GET_STATUS"};
  auto index = static_cast<uint32_t>(request);
  return index < sizeof kNames / sizeof *kNames ? kNames[index] : "an unknown message";
}

}  // namespace vitro::vhost_user
