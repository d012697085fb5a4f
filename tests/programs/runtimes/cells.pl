# Three handles, and one way in which each may end: `perl cells.pl CELL`. See tests/e2e/runtimes.
use strict;
use warnings;
use DBI;

my $count = 3;
our @kept;

sub kept {
    push @kept, DBI->connect("dbi:SQLite:dbname=:memory:", "", ""); # site: kept
}

sub scope_end {
    my $db = DBI->connect("dbi:SQLite:dbname=:memory:", "", ""); # site: scope_end
    $db->selectrow_array("select 1");
    return;
}

sub closed {
    my $db = DBI->connect("dbi:SQLite:dbname=:memory:", "", ""); # site: closed
    $db->disconnect;
}

sub closed_at_exit {
    push @kept, DBI->connect("dbi:SQLite:dbname=:memory:", "", ""); # site: closed_at_exit
}

sub early_return {
    my $db = DBI->connect("dbi:SQLite:dbname=:memory:", "", ""); # site: early_return
    return if $ENV{HOME};
    $db->disconnect;
}

sub throws {
    my $db = DBI->connect("dbi:SQLite:dbname=:memory:", "", ""); # site: exception
    die "on the way\n";
}

sub exception {
    eval { throws(); };
}

sub runtime_end {
    my $holder = { db => DBI->connect("dbi:SQLite:dbname=:memory:", "", "") }; # site: runtime_end
    $holder->{self} = $holder;
    return;
}

sub killed {
    push @kept, DBI->connect("dbi:SQLite:dbname=:memory:", "", ""); # site: killed
    kill 9, $$ if @kept == $count;
}

sub persistent {
    my $name = "p" . $_[0] . ".db";
    my $db = DBI->connect_cached("dbi:SQLite:dbname=$name", "", ""); # site: persistent
    return;
}

my $cell = $ARGV[0];
for my $i (1 .. $count) {
    no strict "refs";
    &$cell($i);
}

END {
    if ($cell eq "closed_at_exit") {
        $_->disconnect for @kept;
    }
}
