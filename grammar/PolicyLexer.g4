// The words of the policy language. Only shapes: what a number's unit means, or whether a name exists, is the checker's.
// Every text lexes: what belongs to no rule becomes FOREIGN or UNKNOWN, and the parser says what to write instead.
lexer grammar PolicyLexer;

// Never lexed. MISSING is put into the token stream where an operand is missing at the end of a line (compiler/parse/token_repair);
// the others are names that begin a sentence of a test (compiler/parse/test_words), and names everywhere else.
tokens { MISSING, GIVEN, SEND, WAIT, RELOAD, EXPECT }

EDITION     : 'edition' ;
LET         : 'let' ;
WHEN        : 'when' ;
IMPORT      : 'import' ;
AS          : 'as' ;
PROMISE     : 'promise' ;
ALLOW       : 'allow' ;
BECAUSE     : 'because' ;
TEST        : 'test' ;
JSON        : 'json' ;

AND         : 'and' ;
OR          : 'or' ;
NOT         : 'not' ;
IN          : 'in' ;
STARTS_WITH : 'starts_with' ;
ENDS_WITH   : 'ends_with' ;
CONTAINS    : 'contains' ;
MATCHES     : 'matches' ;

NAME        : [A-Za-z_] [A-Za-z0-9_]* ;

// An address or a network: 10.0.0.0/8, 2001:db8::/32. Two colons in one word occur nowhere else.
NETWORK
    : [0-9]+ '.' [0-9]+ '.' [0-9]+ '.' [0-9]+ ( '/' [0-9]+ )?
    | HEX* ':' HEX* ':' ( HEX | [:.] )* ( '/' [0-9]+ )?
    ;
fragment HEX : [0-9A-Fa-f] ;

// A number with whatever stands right behind it: 5xx, 500ms, 1.5s, 20%, 30/min, 1MiB, and JSON's 1e+5.
// One token, so that a wrong unit is one mistake on one token.
NUMBER
    : [0-9]+ ( '.' [0-9]+ )? [eE] [+-] [0-9]+
    | [0-9] ( [0-9A-Za-z_] | '.' [0-9A-Za-z] )* ( '%' | '/' [0-9A-Za-z]+ )?
    ;

// A string ends on its line. "${ … }" holds an expression, in which plain strings may stand.
STRING      : '"' ( ESCAPE | INTERPOLATION | ~["\\\r\n] )* '"' ;
OPEN_STRING : '"' ( ESCAPE | ~["\\\r\n] )* '\\'? ;

fragment ESCAPE        : '\\' ~[\r\n] ;
fragment INTERPOLATION : '${' ( INNER_STRING | ~["{}\r\n] )* '}' ;
fragment INNER_STRING  : '"' ( ESCAPE | ~["\\\r\n] )* '"' ;

// A pattern ends on its line; a slash in it is written \/.
REGEX       : '/' ( ESCAPE | ~[/\\\r\n] )+ '/' ;
OPEN_REGEX  : '/' ( ESCAPE | ~[/\\\r\n] )* ;

EQ          : '==' ;
NE          : '!=' ;
LE          : '<=' ;
GE          : '>=' ;
LT          : '<' ;
GT          : '>' ;
COALESCE    : '??' ;
ASSIGN      : '=' ;
LBRACE      : '{' ;
RBRACE      : '}' ;
LBRACKET    : '[' ;
RBRACKET    : ']' ;
LPAREN      : '(' ;
RPAREN      : ')' ;
COMMA       : ',' ;
COLON       : ':' ;
DOT         : '.' ;
MINUS       : '-' ;

COMMENT     : '#' ~[\r\n]* -> channel(HIDDEN) ;
SPACE       : [ \t\r\n]+ -> skip ;

// Habits from other languages, as one token each.
FOREIGN     : '&&' | '||' | '!' | ';' | '//' ~[\r\n]* | '\'' ~['\r\n]* '\'' | '`' ~[`\r\n]* '`' | '=~' | '=>' | '->' | ':=' | '===' | '!==' | '<>' ;
UNKNOWN     : . ;
