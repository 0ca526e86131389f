// Verifies the checkpoint and the path of a proof with golang.org/x/mod: foreign KEY FILE LEAF
package main

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func fail(what string) {
	fmt.Fprintln(os.Stderr, what)
	os.Exit(1)
}

func hash(text string) tlog.Hash {
	data, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(data) != tlog.HashSize {
		fail("not a hash")
	}
	var h tlog.Hash
	copy(h[:], data)
	return h
}

func main() {
	data, err := os.ReadFile(os.Args[2])
	if err != nil {
		fail(err.Error())
	}
	parts := strings.SplitN(string(data), "\n\n", 2)
	if len(parts) != 2 {
		fail("not a proof")
	}
	lines := strings.Split(parts[0], "\n")
	for len(lines) > 0 && !strings.HasPrefix(lines[0], "index ") {
		lines = lines[1:]
	}
	if len(lines) == 0 {
		fail("no index")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "index "), 10, 64)
	if err != nil {
		fail("no index")
	}
	var path tlog.RecordProof
	for _, line := range lines[1:] {
		path = append(path, hash(line))
	}
	verifier, err := note.NewVerifier(os.Args[1])
	if err != nil {
		fail(err.Error())
	}
	opened, err := note.Open([]byte(parts[1]), note.VerifierList(verifier))
	if err != nil {
		fail(err.Error())
	}
	checkpoint := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(checkpoint[1], 10, 64)
	if err != nil || checkpoint[0] != verifier.Name() {
		fail("not a checkpoint")
	}
	leaf, err := hex.DecodeString(os.Args[3])
	if err != nil || len(leaf) != tlog.HashSize {
		fail("not a leaf")
	}
	var h tlog.Hash
	copy(h[:], leaf)
	if err := tlog.CheckRecord(path, size, hash(checkpoint[2]), index, h); err != nil {
		fail(err.Error())
	}
}
