package config

import (
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
)

// Listener is one entry of listeners or advertised.listeners.
type Listener struct {
	Name     string // in upper case, as Kafka compares names
	Protocol string // PLAINTEXT; other protocols are refused at start
	Host     string // empty for every interface
	Port     int    // 0 to let the operating system pick
}

// Addr is the listener's HOST:PORT.
func (l Listener) Addr() string { return net.JoinHostPort(l.Host, strconv.Itoa(l.Port)) }

func (l Listener) String() string { return l.Name + "://" + l.Addr() }

// Loopback reports whether only this machine reaches the listener. A name other than localhost counts as reachable from
// elsewhere: what it resolves to can change.
func (l Listener) Loopback() bool {
	if strings.EqualFold(l.Host, "localhost") {
		return true
	}
	ip := net.ParseIP(l.Host)
	return ip != nil && ip.IsLoopback()
}

// Listeners are those to open: the entries of listeners without those in controller.listener.names, which only a quorum
// of more than one node needs.
func (b *Broker) Listeners() []Listener {
	all, _ := parseListeners(b.List(Listeners)) // checkListeners has seen them
	protocols, _ := parseProtocolMap(b.String(ListenerSecurityProtocolMap))
	controller := b.controllerListeners()
	var open []Listener
	for _, l := range all {
		if !controller[l.Name] {
			l.Protocol = protocolOf(protocols, l.Name)
			open = append(open, l)
		}
	}
	return open
}

// AdvertisedAuto reports whether clients are told the address at which they reached the node.
func (b *Broker) AdvertisedAuto() bool {
	entries := b.List(AdvertisedListeners)
	return len(entries) == 0 || len(entries) == 1 && strings.EqualFold(entries[0], "auto")
}

// Advertised are the addresses that clients are told, by listener name; a listener without one advertises like auto.
func (b *Broker) Advertised() map[string]Listener {
	byName := map[string]Listener{}
	if b.AdvertisedAuto() {
		return byName
	}
	all, _ := parseListeners(b.List(AdvertisedListeners))
	for _, l := range all {
		byName[l.Name] = l
	}
	return byName
}

// InterBrokerListener is the name of the listener by which other brokers reach this one.
func (b *Broker) InterBrokerListener() string {
	if name := b.String(InterBrokerListenerName); name != "" {
		return strings.ToUpper(name)
	}
	return b.String(SecurityInterBrokerProtocol)
}

func (b *Broker) controllerListeners() map[string]bool {
	names := map[string]bool{}
	for _, n := range b.List(ControllerListenerNames) {
		names[strings.ToUpper(n)] = true
	}
	return names
}

// listenerForm is NAME://HOST:PORT. Source: org.apache.kafka.common.utils.Utils and EndPoint.
var listenerForm = regexp.MustCompile(`^([^/:]+)://(?:\[([0-9a-fA-F:.%]+)\]|([0-9a-zA-Z\-%._]*)):([0-9]{1,5})$`)

func parseListener(entry string) (Listener, error) {
	m := listenerForm.FindStringSubmatch(entry)
	if m == nil {
		return Listener{}, fmt.Errorf("%q is not NAME://HOST:PORT", entry)
	}
	port, err := strconv.Atoi(m[4])
	if err != nil || port > 65535 {
		return Listener{}, fmt.Errorf("the port of %q is not from 0 to 65535", entry)
	}
	return Listener{Name: strings.ToUpper(m[1]), Host: m[2] + m[3], Port: port}, nil
}

func parseListeners(entries []string) ([]Listener, error) {
	all := make([]Listener, 0, len(entries))
	names := map[string]bool{}
	for _, e := range entries {
		l, err := parseListener(e)
		if err != nil {
			return nil, err
		}
		if names[l.Name] {
			return nil, fmt.Errorf("two listeners are named %s", l.Name)
		}
		names[l.Name] = true
		all = append(all, l)
	}
	return all, nil
}

// parseProtocolMap reads NAME:PROTOCOL,NAME:PROTOCOL.
func parseProtocolMap(text string) (map[string]string, error) {
	protocols := map[string]string{}
	for _, entry := range splitList(strings.TrimSpace(text)) {
		name, protocol, ok := strings.Cut(entry, ":")
		name, protocol = strings.ToUpper(strings.TrimSpace(name)), strings.ToUpper(strings.TrimSpace(protocol))
		switch {
		case !ok || name == "":
			return nil, fmt.Errorf("%q is not NAME:PROTOCOL", entry)
		case protocols[name] != "":
			return nil, fmt.Errorf("listener %s is named twice", name)
		}
		switch protocol {
		case "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL":
		default:
			return nil, fmt.Errorf("%s is no protocol; allowed: PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL", protocol)
		}
		protocols[name] = protocol
	}
	return protocols, nil
}

// protocolOf is a listener's protocol, empty where the map has none.
func protocolOf(protocols map[string]string, name string) string { return protocols[name] }

// ConnectionsPerIPOverrides are the limits of max.connections.per.ip.overrides, by address or host name.
func (b *Broker) ConnectionsPerIPOverrides() (map[string]int, error) {
	limits := map[string]int{}
	for _, entry := range splitList(b.String(MaxConnectionsPerIPOverrides)) {
		i := strings.LastIndexByte(entry, ':')
		if i < 1 {
			return nil, fmt.Errorf("%q is not ADDRESS:COUNT", entry)
		}
		n, err := strconv.ParseInt(entry[i+1:], 10, 32)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("the count of %q is not a whole number of at least 0", entry)
		}
		limits[strings.Trim(entry[:i], "[] ")] = int(n)
	}
	return limits, nil
}
