// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stderr of a VM process, which quotes its guest: whatever comes, and in
 * whatever pieces, each byte is passed on or was progress, and neither a line
 * that is drawn nor a text that is passed on moves a terminal.
 */
#include "runner/fuzz/fuzz.h"

#include "runner/progress.h"
#include "runner/status_line.h"

struct seen {
	size_t text_bytes;
	struct status_view view;
};

static void check_plain(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		unsigned char c = text[i];

		must((c >= ' ' && c != 0x7f) || c == '\n' || c == '\t');
		must(c != 0xc2 || (i + 1 < len &&
				   ((unsigned char)text[i + 1] < 0x80 ||
				    (unsigned char)text[i + 1] > 0x9f)));
	}
}

static void on_text(void *ctx, const char *text, size_t len)
{
	struct seen *seen = ctx;
	char copy[sizeof(((struct progress_stream *)0)->buf)];

	must(len && len <= sizeof(copy));
	seen->text_bytes += len;
	memcpy(copy, text, len);
	status_make_safe(copy, len);
	check_plain(copy, len);
}

static void on_progress(void *ctx, const struct progress *p)
{
	char line[PROGRESS_LINE_MAX], same[PROGRESS_LINE_MAX];
	char drawn[STATUS_LINE_MAX];
	struct seen *seen = ctx;
	struct progress again;
	size_t len = progress_line(p, line), width;

	must(len && progress_parse(line, len - 1, &again));
	must(progress_line(&again, same) == len && !memcmp(line, same, len));
	seen->view.progress = *p;
	for (width = 0; width < 120; width += 13) {
		must(status_format(&seen->view, width, false, drawn) <= width);
		must(strlen(drawn) <= width);
		check_plain(drawn, strlen(drawn));
		must(!strchr(drawn, '\n') && !strchr(drawn, '\t'));
	}
}

/* The first byte is the size of the pieces. */
void fuzz_progress(const uint8_t *data, size_t len)
{
	struct seen seen = {
		.view = {
			.plan = {
				.nr_phases = 2,
				.phases = { { "warm", 1000 },
					    { "main", UINT64_MAX / 4 } },
				.nr_disks = 2,
				.disks = { "data", "log" },
				.scheduler = "simple",
			},
			.name = "web", .index = 1, .total = 2, .known = true,
		},
	};
	struct progress_stream s = { .progress = on_progress,
				     .text = on_text, .ctx = &seen };
	size_t piece, pos, n;

	if (!len)
		return;
	piece = data[0] + 1;
	for (pos = 1; pos < len; pos += n) {
		n = len - pos < piece ? len - pos : piece;
		progress_stream_feed(&s, (const char *)data + pos, n);
	}
	progress_stream_end(&s);
	must(!s.len);
	must(seen.text_bytes <= len - 1);
}
