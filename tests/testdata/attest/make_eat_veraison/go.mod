module make_eat_veraison

go 1.24

require (
	github.com/fxamacker/cbor/v2 v2.5.0
	github.com/golang-jwt/jwt/v5 v5.3.1
	github.com/veraison/eat v0.0.0-20220117140849-ddaf59d69f53
	github.com/veraison/go-cose v1.3.0
)

require github.com/x448/float16 v0.8.4 // indirect
