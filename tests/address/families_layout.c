/* Writes the addresses of test_families.py with the structures of the kernel's headers: one
 * line "name bytes" each. Headers that are missing leave their families out. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <arpa/inet.h>
#include <linux/can.h>
#include <linux/if_alg.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/qrtr.h>
#include <linux/tipc.h>
#include <linux/vm_sockets.h>
#if __has_include(<bluetooth/bluetooth.h>)
#include <bluetooth/bluetooth.h>
#include <bluetooth/hci.h>
#include <bluetooth/l2cap.h>
#include <bluetooth/rfcomm.h>
#include <bluetooth/sco.h>
#endif

static void show(const char *name, const void *structure, size_t len)
{
    const unsigned char *bytes = structure;
    printf("%s ", name);
    for (size_t i = 0; i < len; i++)
        printf("%02x", bytes[i]);
    printf("\n");
}

#define ADDRESS(type, name, ...)                   \
    do {                                           \
        struct type address;                       \
        memset(&address, 0, sizeof address);       \
        __VA_ARGS__;                               \
        show(name, &address, sizeof address);      \
    } while (0)

int main(void)
{
    ADDRESS(sockaddr_nl, "netlink", address.nl_family = AF_NETLINK; address.nl_pid = 0x01020304;
            address.nl_groups = 0x05060708);
    ADDRESS(sockaddr_ll, "packet", address.sll_family = AF_PACKET; address.sll_protocol = htons(0x86dd);
            address.sll_ifindex = 1; address.sll_pkttype = 4; address.sll_hatype = 0x0304;
            address.sll_halen = 6; memcpy(address.sll_addr, "abcdef", 6));
    ADDRESS(sockaddr_vm, "vsock", address.svm_family = AF_VSOCK; address.svm_cid = 0x01020304;
            address.svm_port = 0x05060708);
    ADDRESS(sockaddr_qrtr, "qipcrtr", address.sq_family = AF_QIPCRTR; address.sq_node = 0x01020304;
            address.sq_port = 0x05060708);
    ADDRESS(sockaddr_tipc, "tipc_name", address.family = AF_TIPC; address.addrtype = TIPC_ADDR_NAME;
            address.scope = TIPC_NODE_SCOPE; address.addr.name.name.type = 0x01020304;
            address.addr.name.name.instance = 0x05060708);
    ADDRESS(sockaddr_tipc, "tipc_nameseq", address.family = AF_TIPC; address.addrtype = TIPC_ADDR_NAMESEQ;
            address.scope = TIPC_CLUSTER_SCOPE; address.addr.nameseq.type = 0x01020304;
            address.addr.nameseq.lower = 0x05060708; address.addr.nameseq.upper = 0x090a0b0c);
    ADDRESS(sockaddr_tipc, "tipc_id", address.family = AF_TIPC; address.addrtype = TIPC_ADDR_ID;
            address.scope = TIPC_ZONE_SCOPE; address.addr.id.node = 0x01020304;
            address.addr.id.ref = 0x05060708);
    ADDRESS(sockaddr_can, "can_raw", address.can_family = AF_CAN; address.can_ifindex = 1);
    ADDRESS(sockaddr_can, "can_bcm", address.can_family = AF_CAN);
    ADDRESS(sockaddr_can, "can_isotp", address.can_family = AF_CAN; address.can_ifindex = 1;
            address.can_addr.tp.rx_id = 0x01020304; address.can_addr.tp.tx_id = 0x85060708);
    ADDRESS(sockaddr_can, "can_j1939", address.can_family = AF_CAN; address.can_ifindex = 1;
            address.can_addr.j1939.name = 0xf102030405060708; address.can_addr.j1939.pgn = 0x0a0b0c0d;
            address.can_addr.j1939.addr = 0xfe);
    ADDRESS(sockaddr_alg, "alg", address.salg_family = AF_ALG; strcpy((char *)address.salg_type, "skcipher");
            strcpy((char *)address.salg_name, "cbc(aes)"); address.salg_feat = 0x0102;
            address.salg_mask = 0x0304);
#ifdef AF_BLUETOOTH
#if __has_include(<bluetooth/bluetooth.h>)
    bdaddr_t device = {{0xab, 0x89, 0x67, 0x45, 0x23, 0x01}};
    ADDRESS(sockaddr_l2, "l2cap", address.l2_family = AF_BLUETOOTH; address.l2_psm = htobs(0x1001);
            address.l2_bdaddr = device);
    ADDRESS(sockaddr_l2, "l2cap_le", address.l2_family = AF_BLUETOOTH; address.l2_psm = htobs(0x0081);
            address.l2_cid = htobs(0x0104); address.l2_bdaddr = device;
            address.l2_bdaddr_type = BDADDR_LE_RANDOM);
    ADDRESS(sockaddr_rc, "rfcomm", address.rc_family = AF_BLUETOOTH; address.rc_channel = 30;
            address.rc_bdaddr = device);
    ADDRESS(sockaddr_hci, "hci", address.hci_family = AF_BLUETOOTH; address.hci_dev = 2);
    ADDRESS(sockaddr_hci, "hci_channel", address.hci_family = AF_BLUETOOTH; address.hci_dev = 2;
            address.hci_channel = HCI_CHANNEL_USER);
    ADDRESS(sockaddr_sco, "sco", address.sco_family = AF_BLUETOOTH; address.sco_bdaddr = device);
#endif
#endif
    return 0;
}
