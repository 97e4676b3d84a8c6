// Makes ../eat_veraison/: Entity Attestation Tokens by Veraison's eat and go-cose, and JWTs by
// golang-jwt. Run it by hand in this directory (go run .); its output is checked in.
//
// Veraison's eat has the claims of an early draft: those of RFC 8392 and the nonce are where RFC 9711
// has them, the others have other keys ("draft.cwt" has those). Here its types are under the RFC's.
//
// "shape_*" are claims sets built as those of RFC 9711's appendix A are, with values of our own.
package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"log"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/golang-jwt/jwt/v5"
	"github.com/veraison/eat"
	"github.com/veraison/go-cose"
)

const out = "../eat_veraison"

var now = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func write(name string, octets []byte) {
	check(os.WriteFile(filepath.Join(out, name), octets, 0o644))
}

func digest(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

func b64(octets []byte) string { return base64.RawURLEncoding.EncodeToString(octets) }

// Keys: of attesters, of somebody else, of the certificate and of another one.

type attester struct {
	key crypto.Signer
	alg cose.Algorithm
	kid string
}

func p256() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }

var (
	_, edwards, _ = ed25519.GenerateKey(rand.Reader)

	es256 = attester{p256(), cose.AlgorithmES256, "es256"}
	es384 = attester{must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)), cose.AlgorithmES384, "es384"}
	eddsa = attester{edwards, cose.AlgorithmEdDSA, "eddsa"}

	stranger = attester{p256(), cose.AlgorithmES256, "es256"}
	agent    = p256().Public()
	other    = p256().Public()
)

func jwk(from attester) map[string]string {
	switch key := from.key.Public().(type) {
	case *ecdsa.PublicKey:
		point := must(key.ECDH()).Bytes()[1:]
		return map[string]string{"kty": "EC", "crv": key.Curve.Params().Name, "kid": from.kid,
			"x": b64(point[:len(point)/2]), "y": b64(point[len(point)/2:])}
	case ed25519.PublicKey:
		return map[string]string{"kty": "OKP", "crv": "Ed25519", "kid": from.kid, "x": b64(key)}
	}
	log.Fatal("a key of no type of ours")
	return nil
}

// Claims. The embedded ones are Veraison's where it has them as RFC 9711 does.

type claims struct {
	eat.Eat
	Confirmation *confirmation `cbor:"8,keyasint,omitempty"`
	device
}

type device struct {
	UEID         eat.UEID          `cbor:"256,keyasint,omitempty"`
	OemID        []byte            `cbor:"258,keyasint,omitempty"`
	HwModel      []byte            `cbor:"259,keyasint,omitempty"`
	HwVersion    []any             `cbor:"260,keyasint,omitempty"`
	Uptime       uint              `cbor:"261,keyasint,omitempty"`
	OemBoot      bool              `cbor:"262,keyasint,omitempty"`
	DebugStatus  *eat.Debug        `cbor:"263,keyasint,omitempty"`
	Location     *eat.Location     `cbor:"264,keyasint,omitempty"`
	Submodules   map[string]device `cbor:"266,keyasint,omitempty"`
	SwName       string            `cbor:"270,keyasint,omitempty"`
	Measurements [][]any           `cbor:"273,keyasint,omitempty"`
}

type confirmation struct {
	Key *cose.Key `cbor:"1,keyasint"`
}

func debug(status eat.Debug) *eat.Debug { return &status }

func confirm(key crypto.PublicKey) *confirmation {
	return &confirmation{must(cose.NewKeyFromPublic(key))}
}

func nonce(values ...[]byte) *eat.Nonce {
	var made eat.Nonce
	for _, value := range values {
		check(made.Add(value))
	}
	return &made
}

var fresh = digest("agentca eat fixtures") // as in ../eat/nonce

func registered(expires time.Time) eat.CWTClaims {
	issuer := "https://attester.example"
	exp, iat := eat.NumericDate(expires), eat.NumericDate(expires.Add(-5*time.Minute))
	id := digest("id")[:12]
	return eat.CWTClaims{Issuer: &issuer, Expiration: &exp, IssuedAt: &iat, CwtID: &id}
}

// Of a device that is what it should be.
func good(change ...func(*claims)) claims {
	made := claims{
		Eat:          eat.Eat{Nonce: nonce(fresh), CWTClaims: registered(now.Add(5 * time.Minute))},
		Confirmation: confirm(agent),
		device: device{
			UEID:        append(eat.UEID{1}, digest("device")[:16]...),
			OemID:       []byte{0x12, 0x34, 0x56},
			HwModel:     []byte("model 7"),
			HwVersion:   []any{"2.1", 1},
			Uptime:      60,
			OemBoot:     true,
			DebugStatus: debug(eat.DebugDisabledSinceBoot),
			Location:    &eat.Location{Latitude: 12.5, Longitude: -56.25},
			SwName:      "agent runtime",
			Measurements: [][]any{
				{600, []byte("digest of the image")}, {601, []byte("digest of the model")}},
			Submodules: map[string]device{"tee": {
				DebugStatus: debug(eat.DebugPermanentDisable), SwName: "enclave"}},
		},
	}
	for _, each := range change {
		each(&made)
	}
	return made
}

// As Veraison's eat writes its own.
func draft() []byte {
	ueid := append(eat.UEID{1}, digest("device")[:16]...)
	oemid, level, booted := []byte{0x12, 0x34, 0x56}, eat.SecurityLevel(eat.SecLevelHardware), true
	token := eat.Eat{Nonce: nonce(fresh), UEID: &ueid, OemID: &oemid, SecurityLevel: &level,
		SecureBoot: &booted, Debug: debug(eat.DebugNotDisabled),
		Location: &eat.Location{Latitude: 12.5, Longitude: -56.25}, Submods: &eat.Submods{},
		CWTClaims: registered(now.Add(5 * time.Minute))}
	check(token.Submods.Add("tee", eat.Eat{Debug: debug(eat.DebugPermanentDisable)}))
	check(token.Submods.Add("element", cwt(good(), es256, cwtTag)))
	return must(token.ToCBOR())
}

// Envelopes.

const (
	bare = iota
	sign1Tag
	cwtTag
)

func encode(payload any) []byte {
	mode := must(cbor.CoreDetEncOptions().EncMode())
	return must(mode.Marshal(payload))
}

func cwt(payload any, from attester, tags int) []byte {
	octets, ready := payload.([]byte)
	if !ready {
		octets = encode(payload)
	}
	headers := cose.Headers{
		Protected:   cose.ProtectedHeader{cose.HeaderLabelAlgorithm: from.alg},
		Unprotected: cose.UnprotectedHeader{cose.HeaderLabelKeyID: []byte(from.kid)},
	}
	signer := must(cose.NewSigner(from.alg, from.key))
	if tags == bare {
		return must(cose.Sign1Untagged(rand.Reader, signer, headers, octets, nil))
	}
	token := must(cose.Sign1(rand.Reader, signer, headers, octets, nil))
	if tags == cwtTag {
		return must(cbor.Marshal(cbor.RawTag{Number: 61, Content: token}))
	}
	return token
}

func signedJwt(payload map[string]any, from attester) []byte {
	token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims(payload))
	token.Header["kid"] = from.kid
	token.Header["typ"] = "eat+jwt"
	return []byte(must(token.SignedString(from.key)))
}

// Shapes of RFC 9711's appendix A.

type set = map[any]any

// A payload CoSWID (RFC 9393) as octets: what manifests and measurements are made of there.
func coswid(name string) []byte {
	return encode(set{0: "c0ffee", 12: 2, 1: name, 13: "4.5.6", 2: []any{set{31: "Maker", 33: 1}}})
}

const coapCoswid = 258 // CoAP content format

func shapes() map[string]any {
	return map[string]any{
		// A.1.1: a TEE says what it runs.
		"tee": set{10: fresh, 262: true, 263: 2, 272: []any{[]any{coapCoswid, coswid("TEE")}}},
		// A.1.2: submodules for what the chip is on and in.
		"layers": set{6: now.Unix() - 60, 10: fresh, 256: append([]byte{1}, digest("chip")[:15]...),
			258: []byte{1, 2, 3}, 259: digest("chip")[:16], 260: []any{"1.0.9", 1}, 262: true, 263: 3,
			270: "Chip OS", 271: []any{"6.2.1", 1},
			266: set{
				"board":  set{258: digest("board maker")[:16], 259: digest("board")[:16], 260: []any{"3.1b", 2}},
				"device": set{258: 32473, 260: []any{"9.0", 1}},
			}},
		// A.1.3: a hardware block.
		"block": set{10: fresh, 256: append([]byte{1}, digest("block")[:15]...), 258: 32473, 260: []any{"7.1", 1},
			262: true, 263: 3},
		// A.1.4: a key store and a key, under private keys; the key is no confirmation.
		"key_store": set{4: now.Unix() + 7200, 6: now.Unix() - 60, 10: fresh, 262: true, 263: 2,
			272:    []any{[]any{coapCoswid, coswid("Store")}},
			-70010: "face",
			-70011: set{1: 2, 2: digest("kid")[:16], -1: 1, -2: digest("x"), -3: digest("y")},
			266: set{"main": set{10: digest("of before")[:8], 262: true,
				272: []any{[]any{coapCoswid, coswid("Main OS")}}}}},
		// A.1.5: a TEE measures the system beside it.
		"iot": set{10: fresh, 256: append([]byte{1}, digest("thing")[:15]...), 258: []byte{4, 5, 6}, 262: true, 263: 2,
			266: set{"main": set{262: true, 263: 2, 273: []any{[]any{coapCoswid, coswid("Main OS")}}}}},
		// A.2.2 and A.2.3: a submodule that is the digest of claims that go another way, and the bundle.
		"digest": set{10: fresh, 258: 32473, 262: true, 263: 3, 266: set{"tee": []any{-16, digest("claims")}}},
		// §7.3.1.2: a token within a token, CBOR and JSON.
		"nested": set{10: fresh, 263: 3, 266: set{
			"element": cwt(good(), es256, cwtTag),
			"modem":   `["JWT","` + string(signedJwt(map[string]any{"dbgstat": "enabled"}, stranger)) + `"]`,
			"app":     set{270: "App"}}},
	}
}

func jsonShapes() map[string]map[string]any {
	type object = map[string]any
	return map[string]map[string]any{
		// A.1.6: results of a verifier.
		"results": {"eat_nonce": b64(fresh), "oemboot": true, "dbgstat": "disabled-since-boot", "oemid": "AQID",
			"ueid": b64(append([]byte{1}, digest("thing")[:15]...)), "swname": "Thing OS", "swversion": []any{"4.5.6"},
			"measres": []any{[]any{"Our Measurements", []any{[]any{"all", "success"}}}}},
		// A.1.7: tokens within a token.
		"submodules": {"eat_nonce": b64(fresh), "oemboot": true, "dbgstat": "disabled-permanently",
			"iat": now.Unix() - 60, "submods": object{
				"app":     object{"swname": "App"},
				"element": []any{"CBOR", b64(cwt(good(), es256, cwtTag))},
				"modem":   []any{"JWT", string(signedJwt(object{"dbgstat": "enabled"}, stranger))}}},
		// A.2.3: digests.
		"digests": {"eat_nonce": b64(fresh), "submods": object{
			"audio": []any{"DIGEST", []any{"SHA-256", b64(digest("audio"))}}}},
	}
}

func main() {
	check(os.RemoveAll(out))
	check(os.MkdirAll(out, 0o755))
	write("nonce", fresh)
	write("key.spki", must(x509.MarshalPKIXPublicKey(agent)))
	keys := map[string]any{"keys": []any{jwk(es256), jwk(es384), jwk(eddsa)}}
	write("jwks.json", append(must(json.MarshalIndent(keys, "", " ")), '\n'))

	write("good.cwt", cwt(good(), es256, sign1Tag))
	write("bare.cwt", cwt(good(), es256, bare))
	write("cwt_tag.cwt", cwt(good(), es256, cwtTag))
	write("es384.cwt", cwt(good(), es384, sign1Tag))
	write("eddsa.cwt", cwt(good(), eddsa, sign1Tag))
	several := nonce(digest("another"), fresh)
	write("several_nonces.cwt", cwt(good(func(c *claims) { c.Nonce = several }), es256, sign1Tag))
	// RFC 9711 §4.2.10: the heading of what stands still.
	still := &eat.Location{Latitude: 12.5, Longitude: -56.25, Heading: new(eat.Number)}
	*still.Heading = eat.Number(math.NaN())
	write("still.cwt", cwt(good(func(c *claims) { c.device.Location = still }), es256, sign1Tag))
	write("draft.cwt", cwt(draft(), es256, sign1Tag))

	bad := map[string]func(*claims){
		"stale_nonce": func(c *claims) { c.Nonce = nonce(digest("another")) },
		"short_nonce": func(c *claims) { c.Nonce = nonce(fresh[:8]) },
		"expired":     func(c *claims) { c.CWTClaims = registered(now.Add(-time.Hour)) },
		"debug":       func(c *claims) { c.DebugStatus = debug(eat.DebugNotDisabled) },
		"debug_submodule": func(c *claims) {
			c.Submodules = map[string]device{"tee": {DebugStatus: debug(eat.DebugNotDisabled)}}
		},
		"other_key": func(c *claims) { c.Confirmation = confirm(other) },
	}
	for name, change := range bad {
		write(name+".cwt", cwt(good(change), es256, sign1Tag))
	}
	write("stranger.cwt", cwt(good(), stranger, sign1Tag))

	// §4.3.1: iat must be an integer.
	half := float64(now.Unix()) - 0.5
	write("float_iat.cwt", cwt(set{1: "https://attester.example", 6: half, 10: fresh}, es256, sign1Tag))
	write("float_iat.jwt", signedJwt(map[string]any{
		"iss": "https://attester.example", "iat": half, "eat_nonce": b64(fresh)}, es256))

	for name, shape := range shapes() {
		write("shape_"+name+".cwt", cwt(shape, es256, cwtTag))
	}
	for name, shape := range jsonShapes() {
		write("shape_"+name+".jwt", signedJwt(shape, es256))
	}
	// RFC 9711 §5: a bundle of a token and the claims sets that it has the digests of.
	bundle := []any{cwt(shapes()["digest"], es256, cwtTag), map[string][]byte{"tee": []byte("claims")}}
	write("shape_bundle.cwt", must(cbor.Marshal(cbor.Tag{Number: 602, Content: bundle})))
}
