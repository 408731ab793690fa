// The shapes of the policy language: settings, lines with `when`, blocks and expressions. No actions and no meanings: which
// blocks and settings exist is compiler/model/settings.def, which names an expression may use is compiler/abi.
//
// White space carries no meaning: a statement ends where the next one begins. That is decidable, because two expressions
// never stand side by side and `NAME =`, `NAME when` and `NAME {` occur in no expression.
parser grammar PolicyParser;
options { tokenVocab = PolicyLexer; }

file        : body EOF ;
body        : statement* ;

statement   : edition | let | setting | whenLine | block | importLine | promise | allow | testBlock | sentence ;

edition     : EDITION NUMBER ;                                      // edition 1
let         : LET NAME ASSIGN expression ;                          // let busy = status in {429, 503}
setting     : NAME ( LBRACKET expression RBRACKET )? ASSIGN expression ;   // ttl = 600s   header["Retry-After"] = "30"
whenLine    : NAME? WHEN expression ;                               // open when failures(60s) >= 5
block       : kind=NAME name=NAME? LBRACE body RBRACE ;             // upstream qwen { … }   retry { … }

promise     : PROMISE expression ;                                  // promise worst_case.latency <= 6min
allow       : ALLOW NAME BECAUSE STRING ;                           // allow PL0201 because "who is late is cut short"

importLine  : IMPORT STRING AS NAME ;                               // import "shared/llm.policy" as llm

// What `breakwater test` runs. A sentence ends where the next verb begins; which words it may hold is the checker's.
testBlock   : TEST STRING LBRACE body RBRACE ;                      // test "two 503s cost one retry" { … }
sentence
    : GIVEN NAME clause+                                            // given qwen replies 503 after 200ms always
    | SEND NAME clause+                                             // send POST "/api/chat" json { … }
    | WAIT expression                                               // wait 15s
    | RELOAD expression                                             // reload "next.policy"
    | EXPECT expression                                             // expect attempts(qwen) == 2
    ;
clause      : NAME | NUMBER | STRING ( ASSIGN STRING )? | JSON jsonObject ;

expression  : conjunction ( OR conjunction )* ;
conjunction : negation ( AND negation )* ;
negation    : NOT negation | comparison ;
comparison  : coalesce ( comparator coalesce | NOT? IN members )? ;
comparator  : EQ | NE | LT | LE | GT | GE | STARTS_WITH | ENDS_WITH | CONTAINS | MATCHES ;
coalesce    : primary ( COALESCE primary )* ;                       // right-associative
members     : set | primary ;                                       // in {429, 5xx}   in 5xx
set         : LBRACE ( expression ( COMMA expression )* COMMA? )? RBRACE ;

primary
    : MINUS? NUMBER
    | STRING
    | NETWORK                                                          // 10.0.0.0/8, behind `in`
    | REGEX                                                            // /^\/api\//, behind `matches`
    | path
    | list
    | JSON jsonObject
    | LPAREN expression RPAREN
    ;

path        : NAME suffix* ;                                        // request.header["X"]   failures(60s)
suffix      : DOT word
            | LBRACKET expression RBRACKET
            | LPAREN ( argument ( COMMA argument )* COMMA? )? RPAREN
            ;
argument    : ( word COLON )? expression ;                          // from: 500ms
list        : LBRACKET ( expression ( COMMA expression )* COMMA? )? RBRACKET ;

// Soft keywords: every word may be a member's name.
word        : NAME | EDITION | LET | WHEN | IMPORT | AS | PROMISE | ALLOW | BECAUSE | TEST | JSON
            | AND | OR | NOT | IN | STARTS_WITH | ENDS_WITH | CONTAINS | MATCHES ;

// RFC 8259. NAME is true, false or null; the checker sees to that.
jsonObject  : LBRACE ( jsonMember ( COMMA jsonMember )* )? RBRACE ;
jsonMember  : STRING COLON jsonValue ;
jsonArray   : LBRACKET ( jsonValue ( COMMA jsonValue )* )? RBRACKET ;
jsonValue   : STRING | MINUS? NUMBER | NAME | jsonObject | jsonArray ;

// What stands between ${ and } of a string.
interpolation : expression EOF ;
