// Proves a leaf from tiles with golang.org/x/mod, and checks the proof: tiles KEY FOLDER INDEX LEAF
package main

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type folder string

func (f folder) Height() int { return 8 }

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range tiles {
		// C2SP's paths lack the height.
		data, err := os.ReadFile(filepath.Join(string(f), "tile", strings.TrimPrefix(tile.Path(), "tile/8/")))
		if err != nil {
			return nil, err
		}
		found = append(found, data)
	}
	return found, nil
}

func (f folder) SaveTiles(tiles []tlog.Tile, data [][]byte) {}

func main() {
	text, err := os.ReadFile(filepath.Join(os.Args[2], "checkpoint"))
	check(err)
	verifier, err := note.NewVerifier(os.Args[1])
	check(err)
	opened, err := note.Open(text, note.VerifierList(verifier))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	var tree tlog.Tree
	tree.N, err = strconv.ParseInt(lines[1], 10, 64)
	check(err)
	root, err := base64.StdEncoding.DecodeString(lines[2])
	check(err)
	copy(tree.Hash[:], root)
	index, err := strconv.ParseInt(os.Args[3], 10, 64)
	check(err)
	data, err := hex.DecodeString(os.Args[4])
	check(err)
	var leaf tlog.Hash
	copy(leaf[:], data)
	proof, err := tlog.ProveRecord(tree.N, index, tlog.TileHashReader(tree, folder(os.Args[2])))
	check(err)
	check(tlog.CheckRecord(proof, tree.N, tree.Hash, index, leaf))
}
