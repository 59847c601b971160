package lab

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	packetSize = 2048 // bytes, more than the MTU of 1500
	queueSize  = 4096 // packets on their way in one direction; more wait in the kernel's queue
)

// Path is one direction of a wire in user space.
type Path struct {
	translate func(packet []byte, now time.Time) bool // false: the packet is forgotten

	mu         sync.Mutex
	conditions Conditions
	random     *rand.Rand
	counts     Counts
}

// Conditions are what happens to the packets on a path. The zero value passes all of them
// at once.
type Conditions struct {
	Delay   time.Duration // from one end to the other
	Loss    float64       // the share of packets that are lost at random; 1 cuts the path
	DropRST bool          // RST segments are dropped, as by a firewall
}

// Counts are the packets that entered a path, by what became of them. What kernels say on
// their own about multicast and neighbours over IPv6 is not among them.
type Counts struct {
	Passed, Lost, RST int
	Forgotten         int // the NAT did not know their connection
}

// Set changes the conditions for the packets that enter from now on.
func (p *Path) Set(c Conditions) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conditions = c
}

// Counts returns what has been counted so far.
func (p *Path) Counts() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts
}

// admit decides about a packet that enters the path, and returns how long it is on its way.
func (p *Path) admit(packet []byte, now time.Time) (delay time.Duration, pass bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !isTraffic(packet):
		return p.conditions.Delay, true
	case p.conditions.DropRST && isRST(packet):
		p.counts.RST++
	case p.conditions.Loss > 0 && p.random.Float64() < p.conditions.Loss:
		p.counts.Lost++
	case p.translate != nil && !p.translate(packet, now):
		p.counts.Forgotten++
	default:
		p.counts.Passed++
		return p.conditions.Delay, true
	}
	return 0, false
}

// wire carries packets between a TUN device in each namespace.
type wire struct {
	devices []*os.File
	done    chan struct{} // closed by close
	running sync.WaitGroup
}

// connect makes a TUN device in each namespace, and carries packets between them until close.
func (l *Lab) connect(o Options) error {
	l.wire = &wire{done: make(chan struct{})}
	var ends [2]*os.File
	for i, n := range []*Namespace{l.Client, l.Server} {
		device, err := n.openTUN()
		if err != nil {
			return err
		}
		ends[i], l.wire.devices = device, append(l.wire.devices, device)
	}
	l.ToServer = &Path{random: rand.New(rand.NewPCG(o.Seed, 0))}
	l.ToClient = &Path{random: rand.New(rand.NewPCG(o.Seed, 1))}
	if o.NAT {
		n := &nat{idle: o.NATIdle}
		l.ToServer.translate, l.ToClient.translate = n.out, n.in
	}
	l.wire.carry(l.ToServer, ends[0], ends[1])
	l.wire.carry(l.ToClient, ends[1], ends[0])
	return nil
}

// openTUN makes the namespace's end of the link (Documentation/networking/tuntap.rst). The
// device ends with the file.
func (n *Namespace) openTUN() (device *os.File, err error) {
	const file = "/dev/net/tun"
	err = n.Do(func() error {
		fd, err := unix.Open(file, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			return &Unavailable{file, err}
		}
		request, err := unix.NewIfreq(linkName)
		if err == nil {
			request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
			err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("make a TUN device (TUNSETIFF): %w", err), unix.Close(fd))
		}
		device = os.NewFile(uintptr(fd), file)
		return nil
	})
	return device, err
}

// carry starts to carry packets over the path.
func (w *wire) carry(p *Path, from, to *os.File) {
	type onItsWay struct {
		packet []byte
		due    time.Time
	}
	queue := make(chan onItsWay, queueSize)
	w.running.Go(func() {
		defer close(queue)
		for {
			packet := make([]byte, packetSize)
			n, err := from.Read(packet)
			if err != nil { // the device is closed
				return
			}
			now := time.Now()
			if delay, pass := p.admit(packet[:n], now); pass {
				select {
				case queue <- onItsWay{packet[:n], now.Add(delay)}:
				case <-w.done:
					return
				}
			}
		}
	})
	w.running.Go(func() {
		timer := time.NewTimer(0)
		defer timer.Stop()
		for next := range queue {
			if wait := time.Until(next.due); wait > 0 {
				timer.Reset(wait)
				select {
				case <-timer.C:
				case <-w.done:
					return
				}
			}
			_, _ = to.Write(next.packet) // a device that is down, or full, loses it
		}
	})
}

// close ends the wire, and returns when its goroutines have ended.
func (w *wire) close() (err error) {
	close(w.done)
	for _, device := range w.devices {
		err = errors.Join(err, device.Close())
	}
	w.running.Wait()
	return err
}
