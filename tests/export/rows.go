// Proves the rows of an export in JSON Lines by FILE.proofs: rows KEY FILE PROOFS
//
// Written from docs/explanation/evidence.md alone; checks the checkpoint with golang.org/x/mod.
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

type head struct {
	Kind       string   `json:"kind"`
	Version    int      `json:"version"`
	Checkpoint string   `json:"checkpoint"`
	Frontier   []string `json:"frontier"`
	Record     string   `json:"record"`
	Path       []string `json:"path"`
}

type node struct {
	level int
	index uint64
}

type row map[string]json.RawMessage

var known = map[node][]byte{}

func require(holds bool, what string) {
	if !holds {
		fmt.Fprintln(os.Stderr, what)
		os.Exit(1)
	}
}

func decode(text string) []byte {
	data, err := base64.StdEncoding.Strict().DecodeString(text)
	require(err == nil, "not base64")
	return data
}

func hash(parts ...[]byte) []byte {
	sum := sha256.Sum256(bytes.Join(parts, nil))
	return sum[:]
}

func number(value uint64) []byte { return binary.BigEndian.AppendUint64(nil, value) }

// The roots of complete subtrees, and the root of the tree over them.
func begin(size uint64, frontier []string) []byte {
	var roots [][]byte
	start := uint64(0)
	for level := 63; level >= 0; level-- {
		if size>>level&1 == 1 {
			require(len(roots) < len(frontier), "too few roots")
			root := decode(frontier[len(roots)])
			known[node{level, start >> level}] = root
			roots = append(roots, root)
			start += 1 << level
		}
	}
	require(len(roots) > 0 && len(roots) == len(frontier), "too many roots")
	root := roots[len(roots)-1]
	for i := len(roots) - 2; i >= 0; i-- {
		root = hash([]byte{1}, roots[i], root)
	}
	return root
}

func isIn(leaf []byte, index uint64, path []string) bool {
	at, value := node{0, index}, leaf
	shown := map[node][]byte{}
	for _, text := range path {
		sibling := decode(text)
		shown[at], shown[node{at.level, at.index ^ 1}] = value, sibling
		if at.index&1 == 1 {
			value = hash([]byte{1}, sibling, value)
		} else {
			value = hash([]byte{1}, value, sibling)
		}
		at = node{at.level + 1, at.index >> 1}
	}
	if !bytes.Equal(known[at], value) {
		return false
	}
	for place, one := range shown {
		known[place] = one
	}
	return true
}

func text(value json.RawMessage) string {
	var found string
	require(json.Unmarshal(value, &found) == nil, "not a text")
	return found
}

func isNull(value json.RawMessage) bool { return string(value) == "null" }

func address(value json.RawMessage) []byte {
	if isNull(value) {
		return nil
	}
	prefix, err := netip.ParsePrefix(text(value))
	if err != nil {
		one, err := netip.ParseAddr(text(value))
		require(err == nil, "not an address")
		prefix = netip.PrefixFrom(one, one.BitLen())
	}
	family := byte(2)
	if prefix.Addr().Is6() {
		family = 3
	}
	data := prefix.Addr().AsSlice()
	return append([]byte{family, byte(prefix.Bits()), 0, byte(len(data))}, data...)
}

// What a column may be: the first is what it most likely is.
func choices(name string, value json.RawMessage) [][]byte {
	switch {
	case name == "ip_address":
		return [][]byte{address(value)}
	case name == "old_values" || name == "new_values" || name == "context":
		if isNull(value) {
			return [][]byte{nil, []byte("null")}
		}
		return [][]byte{value}
	case isNull(value):
		return [][]byte{nil}
	case name == "user" && text(value) == "System":
		return [][]byte{nil, []byte("System")}
	}
	return [][]byte{[]byte(text(value))}
}

func name(value string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(value))), value...)
}

var units = []string{"user", "ip_address", "db_user", "target_id", "old_values", "new_values", "context"}

// Whether one of the events that a row may stand for is the leaf.
func isProved(one row, targets []string, salt []byte, index uint64, path []string) bool {
	id, err := strconv.ParseInt(string(one["event_id"]), 10, 64)
	require(err == nil, "not an event_id")
	xact, err := strconv.ParseUint(string(one["xact_id"]), 10, 64)
	require(err == nil, "not an xact_id")
	at, err := time.Parse("2006-01-02T15:04:05.000000Z", text(one["created_on"]))
	require(err == nil, "not a time")
	epoch := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	identity := bytes.Join([][]byte{number(uint64(id)), number(uint64(at.Sub(epoch).Microseconds())), number(xact)}, nil)
	first, second := sha512.Sum512(append(salt, 1)), sha512.Sum512(append(salt, 2))
	salts := append(first[:], second[:]...)
	for _, target := range targets {
		start := bytes.Join([][]byte{
			[]byte("\x00auditctl event v1\n"), identity, name(text(one["actor_kind"])), name(text(one["action"])), name(target),
		}, nil)
		found := [][]byte{append(start, 0)}
		for place, unit := range units {
			var longer [][]byte
			for _, data := range found {
				for _, value := range choices(unit, one[unit]) {
					next := append([]byte{}, data...)
					if value != nil {
						next[len(start)] |= 1 << place
						next = append(next, hash(salts[16*place:16*place+16], value)...)
					}
					longer = append(longer, next)
				}
			}
			found = longer
		}
		for _, data := range found {
			if isIn(hash(data), index, path) {
				return true
			}
		}
	}
	return false
}

func lines(path string) []string {
	data, err := os.ReadFile(path)
	require(err == nil && bytes.HasSuffix(data, []byte("\n")), "not a file of lines")
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
}

func open(key, line string) {
	var proofs head
	require(json.Unmarshal([]byte(line), &proofs) == nil, "no head")
	var again bytes.Buffer
	writer := bufio.NewWriter(&again)
	encoder := json.NewEncoder(writer)
	encoder.SetEscapeHTML(false)
	require(encoder.Encode(proofs) == nil && writer.Flush() == nil && again.String() == line+"\n", "another head")
	require(proofs.Kind == "auditctl proofs" && proofs.Version == 1, "another kind")
	verifier, err := note.NewVerifier(key)
	require(err == nil, "not a key")
	opened, err := note.Open([]byte(proofs.Checkpoint), note.VerifierList(verifier))
	require(err == nil, "not signed")
	checkpoint := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseUint(checkpoint[1], 10, 63)
	require(err == nil && checkpoint[0] == verifier.Name(), "not a checkpoint")
	require(bytes.Equal(begin(size, proofs.Frontier), decode(checkpoint[2])), "another root")
	record := hash([]byte("\x00auditctl block v1\n"), []byte(proofs.Record))
	require(isIn(record, size-1, proofs.Path), "another record")
}

func main() {
	proofs := lines(os.Args[3])
	open(os.Args[1], proofs[0])
	labels := map[string][]string{}
	proofs = proofs[1:]
	for _, line := range lines(os.Args[2]) {
		var one row
		require(json.Unmarshal([]byte(line), &one) == nil, "not a row")
		for len(proofs) > 0 && strings.HasPrefix(proofs[0], "label ") {
			var names []string
			require(json.Unmarshal([]byte(proofs[0][6:]), &names) == nil && len(names) > 1, "not a label")
			labels[names[0]] = names[1:]
			proofs = proofs[1:]
		}
		require(len(proofs) > 0, "too few proofs")
		words := strings.Split(proofs[0], " ")
		proofs = proofs[1:]
		require(len(words) > 1, "not a proof")
		index, err := strconv.ParseUint(words[0], 10, 63)
		require(err == nil && strconv.FormatUint(index, 10) == words[0], "not sealed")
		salt := decode(words[1])
		require(len(salt) == 32, "erased")
		shown := text(one["target"])
		require(isProved(one, append([]string{shown}, labels[shown]...), salt, index, words[2:]), "not in the tree")
	}
	require(len(proofs) == 0, "too many proofs")
}
