// SPDX-License-Identifier: GPL-2.0-only
/* Steps that the agent carries out: asked, answered, and then the next one. */
#include "runner/session.h"

#include "lib/log.h"

/* Of one phase: no two are under way at once. */
static json_int_t step_id(const struct session *s)
{
	return s->phase * 1000 + s->step;
}

/* "map m" or "variable x" */
static json_t *what_of(json_t *args)
{
	const char *var = json_string_value(json_object_get(args, "var"));
	const char *map = json_string_value(json_object_get(args, "map"));

	return json_sprintf("%s %s", var ? "variable" : "map",
			    var ? var : map);
}

/* Steals @message. */
static void record(struct session *s, json_t *args, bool ok, json_t *message)
{
	json_t *phase = json_array_get(json_object_get(s->plan, "phases"),
				       s->phase);
	json_t *name = json_object_get(phase, "name");

	if (!ok)
		log_warn("phase %s: write_map: %s", json_string_value(name),
			 json_string_value(message));
	json_array_append_new(s->steps, json_pack(
		"{s:O, s:s, s:o, s:b, s:o}", "phase", name, "step",
		"write_map", "what", what_of(args), "ok", ok, "message",
		message));
}

void session_step_write(struct session *s, json_t *args)
{
	json_t *msg;

	/* under the kernel's default there is nothing to write to */
	if (!json_is_object(json_object_get(s->plan, "scheduler")))
		return;
	msg = json_copy(args);
	json_object_set_new(msg, "id", json_integer(step_id(s)));
	if (session_send(s, KTSTR_MSG_WRITE_MAP, msg))
		record(s, args, false, json_string("the agent's port is full"));
	else
		s->step_waits = true;
}
void session_on_written(struct session *s, json_t *body)
{
	json_t *phase = json_array_get(json_object_get(s->plan, "phases"),
				       s->phase);
	json_t *step = json_array_get(json_object_get(phase, "do"), s->step);
	json_t *message = json_object_get(body, "message");

	if (!s->step_waits || json_integer_value(
		    json_object_get(body, "id")) != step_id(s)) {
		s->ignored_msgs++;
		return;
	}
	s->step_waits = false;
	record(s, json_object_get(step, "write_map"),
	       json_is_true(json_object_get(body, "ok")),
	       json_is_string(message) ? json_incref(message) :
	       json_string("no reason was given"));
	s->step++;
	session_go_on(s);
}
