# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# For the sections: running programs where KVM is, and tables of what they said.
# Programs print lines of SIDE ROUND WHAT NUMBER.

set -euo pipefail
build=${KTSTR_BUILD:-build}
rounds=${BENCH_ROUNDS:-5}
ktstr=$build/ktstr
tmp=$(mktemp -d "${TMPDIR:-/tmp}/ktstr-bench.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 129' HUP INT TERM

say() { echo "bench: $*" >&2; }

# has_kvm: can this machine's KVM run a kernel?
has_kvm() { "$ktstr" __probe >/dev/null 2>&1; }

# need_qemu: sets qemu and its firmware for -M microvm
need_qemu() {
	local dir

	qemu=$(command -v "${KTSTR_QEMU:-qemu-system-x86_64}") || {
		say "no QEMU to compare with: install qemu-system-x86"
		exit 1
	}
	for dir in /usr/share/qemu /usr/share/seabios /usr/local/share/qemu; do
		[[ -e $dir/qboot.rom ]] && firmware=$dir/qboot.rom
	done
	[[ -n ${firmware:-} ]] || { say "QEMU's qboot.rom is missing"; exit 1; }
}

# qemu_inside: sets qemu_files, what __emu-exec has to send for QEMU to run
# there, and qemu_start, how: by its own loader, since there is nothing else
qemu_inside() {
	local lib loader

	qemu_files=(--file "$qemu:qemu/qemu" --file "$firmware:qemu/qboot.rom")
	while read -r lib; do
		qemu_files+=(--file "$lib:qemu/${lib##*/}")
		[[ ${lib##*/} == ld-linux* ]] && loader=qemu/${lib##*/}
	done < <(libraries "$qemu")
	qemu_start=("$loader" --library-path qemu qemu/qemu -L qemu)
}

# libraries PROGRAM: what its loader would load, the loader too
libraries() { ldd "$1" | grep -o '/[^ ]*'; }

# table_row LABEL KTSTR-WHAT OTHER-WHAT SCALE DECIMALS <NUMBERS: one line of a
# table: the medians of both sides, and of the ratio within a round
table_row() {
	awk -v rounds="$rounds" -v label="$1" -v ours="$2" -v theirs="$3" -v scale="$4" \
		-v fmt="%.$5f" '
	function sorted(v, n,    i, j, t) {
		for (i = 2; i <= n; i++)
			for (j = i; j > 1 && v[j - 1] > v[j]; j--) {
				t = v[j]; v[j] = v[j - 1]; v[j - 1] = t
			}
	}
	function text(v, n, f,    m) {
		sorted(v, n)
		m = n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
		return sprintf(f " (" f " to " f ")", m, v[1], v[n])
	}
	$1 == "ktstr" && $3 == ours { a[$2] = $4 / scale }
	$1 == "other" && $3 == theirs { b[$2] = $4 / scale }
	END {
		for (r in a)
			if (r in b) {
				n++
				x[n] = a[r]
				y[n] = b[r]
				z[n] = a[r] / b[r]
			}
		if (n < 5 || n < rounds) {
			print label ": only " n + 0 " rounds" >"/dev/stderr"
			exit 1
		}
		print "| " label " | " text(x, n, fmt) " | " \
			text(y, n, fmt) " | " text(z, n, "%.2f") " |"
	}'
}

# median_of WHAT SCALE DECIMALS <NUMBERS: of one side, with its spread
median_of() {
	awk -v what="$1" -v scale="$2" '$3 == what { print $4 / scale }' |
		sort -g | awk -v fmt="%.$3f" '
	{ v[NR] = $1 }
	END {
		if (NR < 5) exit 1
		m = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
		printf fmt " (" fmt " to " fmt ")\n", m, v[1], v[NR]
	}'
}
