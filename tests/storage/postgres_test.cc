// The parts of the driver for PostgreSQL that need no server.
#include <gtest/gtest.h>

#include "storage/postgres_error.h"
#include "storage/postgres_text.h"
#include "storage/postgres_uri.h"
#include "tests/contract/backends.h"

namespace agentca::storage {
namespace {

using contract::FailsWith;
using contract::IsOk;

TEST(PostgresDialect, NumbersParameters) {
  EXPECT_EQ(PostgresDialect("SELECT 1"), "SELECT 1");
  EXPECT_EQ(PostgresDialect(""), "");
  EXPECT_EQ(PostgresDialect("a = ? AND b = ?"), "a = $1 AND b = $2");
  EXPECT_EQ(PostgresDialect("?2 < ?1 AND ?12"), "$2 < $1 AND $12");
  EXPECT_EQ(PostgresDialect("id < ? AND t = ?3 AND a = ?4 LIMIT ?2"),
            "id < $1 AND t = $3 AND a = $4 LIMIT $2");
  EXPECT_EQ(PostgresDialect("?3, ?"), "$3, $4") << "the number after the greatest, as SQLite's";
  EXPECT_EQ(PostgresDialect("(?, ?)"), "($1, $2)");
}

TEST(PostgresDialect, LocksWhereTheCommentAsksForIt) {
  EXPECT_EQ(PostgresDialect("SELECT * FROM t WHERE a = ? /*FOR SHARE*/"),
            "SELECT * FROM t WHERE a = $1 FOR SHARE");
}

TEST(PostgresText, IsPostgresqlsFormOfEveryValue) {
  EXPECT_EQ(PostgresText(SqlNull{}).value(), std::nullopt);
  EXPECT_EQ(PostgresText(INT64_MIN).value(), "-9223372036854775808");
  EXPECT_EQ(PostgresText(std::string_view("")).value(), "");
  EXPECT_EQ(PostgresText(std::string_view("a'\\b")).value(), "a'\\b");
  EXPECT_EQ(PostgresText(ByteView()).value(), "\\x");
  EXPECT_EQ(PostgresText(ByteView(Bytes{0x00, 0xff})).value(), "\\x00ff");
}

TEST(PostgresText, RefusesWhatATextCannotHold) {
  EXPECT_TRUE(FailsWith(Code::kMalformed, PostgresText(std::string_view("a\0b", 3))));
}

TEST(BytesFromPostgres, ReadsHexAndNothingElse) {
  EXPECT_EQ(BytesFromPostgres("\\x").value(), Bytes());
  EXPECT_EQ(BytesFromPostgres("\\x00ff").value(), (Bytes{0x00, 0xff}));
  for (const char* bad : {"", "00ff", "\\000", "\\X00"})
    EXPECT_TRUE(FailsWith(Code::kInternal, BytesFromPostgres(bad))) << bad;
  for (const char* bad : {"\\x0", "\\xzz", "\\x0 0"})
    EXPECT_FALSE(IsOk(BytesFromPostgres(bad))) << bad;
}

TEST(ParsePostgresUri, TakesNoPasswordInAnyForm) {
  for (const char* uri :
       {"postgresql://u:secret@h/d", "postgres://u:secret@h/d", "postgresql://u:%73ecret@h/d",
        "postgresql://h/d?password=secret", "postgresql://u@h/d?user=v&password=secret",
        "postgresql://u:secret@h1,h2/d", "postgresql://h/d?sslpassword=secret",
        "postgresql:///d?host=h&p%61ssword=secret"}) {
    const auto parsed = ParsePostgresUri(uri);
    EXPECT_TRUE(FailsWith(Code::kMalformed, parsed)) << uri;
    EXPECT_EQ(parsed.error().detail.find("secret"), std::string::npos) << parsed.error().detail;
  }
}

// libpq's words about a URI it cannot read hold the URI.
TEST(ParsePostgresUri, DoesNotRepeatAPasswordThatItCannotRead) {
  for (const char* uri :
       {"postgresql://u:secret@[h/d", "postgresql://u:secret%@h/d", "postgresql://u:secret@h/d?x=%",
        "postgresql://u:secret@h/d?nonsense=1", "postgresql://u:sec%zzret@h/d"}) {
    const auto parsed = ParsePostgresUri(uri);
    ASSERT_TRUE(FailsWith(Code::kMalformed, parsed)) << uri;
    EXPECT_EQ(parsed.error().detail.find("sec"), std::string::npos) << parsed.error().detail;
  }
}

TEST(ParsePostgresUri, RefusesWhatLeadsNowhere) {
  for (const char* uri : {"postgresql://u@h", "postgresql://u@h/", "postgresql://", "postgresql:/x",
                          "postgresql://h/d?nonsense=1", "postgresql://u@[::1/d"})
    EXPECT_TRUE(FailsWith(Code::kMalformed, ParsePostgresUri(uri))) << uri;
  const std::string hidden("postgresql://u@h/d\0?password=x", 31);
  EXPECT_TRUE(FailsWith(Code::kMalformed, ParsePostgresUri(hidden)));
}

TEST(ParsePostgresUri, HasDefaultsThatTheUriOverrides) {
  const auto plain = ParsePostgresUri("postgresql://u@h/d").value().conninfo;
  for (const char* part : {"application_name='agentca'", "connect_timeout='5'", "dbname='d'",
                           "target_session_attrs='read-write'", "tcp_user_timeout='15000'"})
    EXPECT_NE(plain.find(part), std::string::npos) << plain;
  const auto own =
      ParsePostgresUri("postgresql://u@h/d?connect_timeout=2&target_session_attrs=any").value();
  EXPECT_NE(own.conninfo.find("connect_timeout='2'"), std::string::npos);
  EXPECT_NE(own.conninfo.find("target_session_attrs='any'"), std::string::npos);
  EXPECT_EQ(own.conninfo.find("read-write"), std::string::npos);
}

TEST(ParsePostgresUri, QuotesForLibpq) {
  const auto parsed = ParsePostgresUri("postgresql://u%27%5C@h/d%20e").value().conninfo;
  EXPECT_NE(parsed.find(R"(user='u\'\\')"), std::string::npos) << parsed;
  EXPECT_NE(parsed.find("dbname='d e'"), std::string::npos) << parsed;
}

TEST(ParsePostgresUri, DescribesEveryHostAndNoOption) {
  const auto parsed =
      ParsePostgresUri("postgresql://u@a:1,b:2/d?passfile=/etc/x&options=-csearch_path%3Ds").value();
  EXPECT_EQ(parsed.description, "postgresql://u@a:1,b:2/d");
  EXPECT_NE(parsed.conninfo.find("host='a,b' "), std::string::npos) << parsed.conninfo;
  EXPECT_NE(parsed.conninfo.find("port='1,2' "), std::string::npos) << parsed.conninfo;
  EXPECT_EQ(ParsePostgresUri("postgresql:///d?host=/run/pg").value().description,
            "postgresql:///run/pg/d");
}

TEST(JudgeSqlState, TellsWhatMayBeTriedAgain) {
  for (const char* state : {"40001", "40P01"}) {
    const PostgresFailure failure = JudgeSqlState(state);
    EXPECT_EQ(failure.error.code, Code::kUnavailable);
    EXPECT_TRUE(failure.collision) << state;
    EXPECT_FALSE(failure.useless) << state;
  }
  for (const char* state : {"23505", "23503"}) {
    EXPECT_EQ(JudgeSqlState(state).error.code, Code::kConflict);
    EXPECT_TRUE(JudgeSqlState(state).duplicate) << state;
  }
  EXPECT_EQ(JudgeSqlState("23514").error.code, Code::kConflict);
  EXPECT_FALSE(JudgeSqlState("23514").duplicate) << "a row that breaks a rule does so again";
}

TEST(JudgeSqlState, TellsWhichConnectionsAreOfNoUse) {
  for (const char* state : {"", "08006", "57P01", "57P02", "57P03", "57P05", "28P01", "3D000", "25006",
                            "0A000"})
    EXPECT_TRUE(JudgeSqlState(state).useless) << state;
  for (const char* state : {"57014", "55P03", "53100", "53200", "53300", "42501", "58030"}) {
    EXPECT_FALSE(JudgeSqlState(state).useless) << state;
    EXPECT_EQ(JudgeSqlState(state).error.code, Code::kUnavailable) << state;
  }
}

TEST(JudgeSqlState, OurMistakesAndDamageAreInternal) {
  for (const char* state : {"42601", "42P01", "25P02", "XX001", "XX002", "XX000"})
    EXPECT_EQ(JudgeSqlState(state).error.code, Code::kInternal) << state;
}

TEST(JudgeConnectFailure, TellsTheOperatorWhatToMend) {
  const auto about = [](const char* words) {
    const Error error = JudgeConnectFailure(words);
    EXPECT_EQ(error.code, Code::kUnavailable);
    return error.detail;
  };
  EXPECT_EQ(about("connection to server at \"h\" failed: session is read-only"),
            "the database cannot be written");
  EXPECT_EQ(about("FATAL:  password authentication failed for user \"u\""),
            "the database refuses this user");
  EXPECT_EQ(about("FATAL:  role \"u\" does not exist"), "the database refuses this user");
  EXPECT_EQ(about("FATAL:  database \"d\" does not exist"), "there is no such database");
  EXPECT_EQ(about("Connection refused"), "the database cannot be reached");
}

}  // namespace
}  // namespace agentca::storage
