/* SPDX-License-Identifier: GPL-2.0-only */
/* Exits by reason of each vCPU, for the facts. Called by the session. */
#ifndef KTSTR_RUNNER_FACTS_VCPU_H
#define KTSTR_RUNNER_FACTS_VCPU_H

#include <jansson.h>

struct vm_vcpu_stats;

/**
 * vcpus_json() - an array, one object for each vCPU
 * @from: NULL: since the VM's start
 *
 * Return: new reference; null where @to is NULL.
 */
json_t *vcpus_json(const struct vm_vcpu_stats *from,
		   const struct vm_vcpu_stats *to, unsigned int nr);

#endif
