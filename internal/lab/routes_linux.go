package lab

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// routes changes the interfaces, addresses and routes of one namespace by rtnetlink(7).
type routes struct{ conn *netlink.Conn }

// netlink runs f in the namespace with a connection to its rtnetlink.
func (n *Namespace) netlink(f func(*routes) error) error {
	return n.Do(func() error {
		conn, err := netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{NetNS: int(n.file.Fd())})
		if err != nil {
			return err
		}
		return errors.Join(f(&routes{conn}), conn.Close())
	})
}

// request sends one message, the fixed header of its type and then attributes, and waits
// until the kernel has done it.
func (c *routes) request(kind netlink.HeaderType, flags netlink.HeaderFlags, header any, attributes func(*netlink.AttributeEncoder)) error {
	data, err := message(header, attributes)
	if err != nil {
		return err
	}
	_, err = c.conn.Execute(netlink.Message{
		Header: netlink.Header{Type: kind, Flags: netlink.Request | netlink.Acknowledge | flags}, Data: data,
	})
	return err
}

func message(header any, attributes func(*netlink.AttributeEncoder)) ([]byte, error) {
	var out bytes.Buffer
	if err := binary.Write(&out, binary.NativeEndian, header); err != nil {
		return nil, err
	}
	encoder := netlink.NewAttributeEncoder()
	attributes(encoder)
	encoded, err := encoder.Encode()
	return append(out.Bytes(), encoded...), err
}

// vethInfoPeer is VETH_INFO_PEER of linux/veth.h.
const vethInfoPeer = 1

const added = netlink.Create | netlink.Excl

// addVeth makes a veth pair, one end in each namespace.
func addVeth(one, other *Namespace) error {
	err := one.netlink(func(c *routes) error {
		return c.request(unix.RTM_NEWLINK, added, unix.IfInfomsg{}, func(e *netlink.AttributeEncoder) {
			e.String(unix.IFLA_IFNAME, linkName)
			e.Nested(unix.IFLA_LINKINFO, func(e *netlink.AttributeEncoder) error {
				e.String(unix.IFLA_INFO_KIND, "veth")
				e.Nested(unix.IFLA_INFO_DATA, func(e *netlink.AttributeEncoder) error {
					e.Do(vethInfoPeer, func() ([]byte, error) {
						return message(unix.IfInfomsg{}, func(e *netlink.AttributeEncoder) {
							e.String(unix.IFLA_IFNAME, linkName)
							e.Uint32(unix.IFLA_NET_NS_FD, uint32(other.file.Fd()))
						})
					})
					return nil
				})
				return nil
			})
		})
	})
	switch {
	case errors.Is(err, unix.EPERM):
		return &Unavailable{"CAP_NET_ADMIN", err}
	case errors.Is(err, unix.EOPNOTSUPP):
		return &Unavailable{"veth in the kernel", err}
	}
	return err
}

// up brings an interface up.
func (c *routes) up(name string) error {
	header := unix.IfInfomsg{Flags: unix.IFF_UP, Change: unix.IFF_UP}
	return c.request(unix.RTM_NEWLINK, 0, header, func(e *netlink.AttributeEncoder) {
		e.String(unix.IFLA_IFNAME, name)
	})
}

// awaitLink blocks until the link carries packets, which the kernel announces.
func (n *Namespace) awaitLink() error {
	return n.netlink(func(c *routes) error {
		err := errors.Join(c.conn.JoinGroup(unix.RTNLGRP_LINK), c.conn.SetReadDeadline(time.Now().Add(linkPatience)))
		for err == nil {
			i, err := net.InterfaceByName(linkName)
			if err != nil || i.Flags&net.FlagRunning != 0 {
				return err
			}
			if _, err = c.conn.Receive(); err != nil {
				return fmt.Errorf("wait for the link to carry packets: %w", err)
			}
		}
		return err
	})
}

// linkPatience bounds the wait for the link. The kernel may take a second for each end.
const linkPatience = 10 * time.Second

// address gives an interface an address with the prefix of the link. An IPv6 address is
// usable at once: nobody looks for duplicates.
func (c *routes) address(name string, a netip.Addr) error {
	return c.changeAddress(unix.RTM_NEWADDR, added, name, a, bits(a))
}

// dropAddress takes the address 127.0.0.1/8, or ::1/128, from an interface.
func (c *routes) dropAddress(name string, a netip.Addr) error {
	return c.changeAddress(unix.RTM_DELADDR, 0, name, a, 8)
}

func (c *routes) changeAddress(kind netlink.HeaderType, flags netlink.HeaderFlags, name string, a netip.Addr, bits uint8) error {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return err
	}
	header := unix.IfAddrmsg{Family: family(a), Prefixlen: bits, Flags: unix.IFA_F_NODAD, Index: uint32(i.Index)}
	return c.request(kind, flags, header, func(e *netlink.AttributeEncoder) {
		e.Bytes(unix.IFA_LOCAL, a.AsSlice())
		e.Bytes(unix.IFA_ADDRESS, a.AsSlice())
	})
}

// route sends what is for an address over an interface, by way of a gateway, from a source.
func (c *routes) route(name string, to, gateway, source netip.Addr) error {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return err
	}
	header := unix.RtMsg{
		Family: family(to), Dst_len: uint8(to.BitLen()), Table: unix.RT_TABLE_MAIN,
		Protocol: unix.RTPROT_STATIC, Scope: unix.RT_SCOPE_UNIVERSE, Type: unix.RTN_UNICAST,
	}
	return c.request(unix.RTM_NEWROUTE, added, header, func(e *netlink.AttributeEncoder) {
		e.Bytes(unix.RTA_DST, to.AsSlice())
		e.Bytes(unix.RTA_GATEWAY, gateway.AsSlice())
		e.Bytes(unix.RTA_PREFSRC, source.AsSlice())
		e.Uint32(unix.RTA_OIF, uint32(i.Index))
	})
}

func family(a netip.Addr) uint8 {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

func bits(a netip.Addr) uint8 {
	if a.Is4() {
		return bits4
	}
	return bits6
}
