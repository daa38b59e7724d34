/*
 * list.h - intrusive doubly linked list; the object owns its link.
 *
 * A list head and a link are the same struct.  A link that is on no list points to itself, so
 * list_del is safe to call twice and on a link that was only initialised.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/attr.h"

struct list {
    struct list *next;
    struct list *prev;
};

static inline void
list_init(struct list *l)
{
    l->next = l;
    l->prev = l;
}

static inline bool
list_empty(const struct list *l)
{
    return l->next == l;
}

static inline void
list_insert_between(struct list *l, struct list *prev, struct list *next)
{
    l->next = next;
    l->prev = prev;
    prev->next = l;
    next->prev = l;
}

static inline void
list_add(struct list *head, struct list *l)
{
    list_insert_between(l, head, head->next);
}

static inline void
list_add_tail(struct list *head, struct list *l)
{
    list_insert_between(l, head->prev, head);
}

static inline void
list_del(struct list *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    list_init(l);
}

#define list_entry(link, type, member) container_of(link, type, member)

#define list_first(head, type, member) \
    (list_empty(head) ? NULL : list_entry((head)->next, type, member))

/* pos may not be removed inside the loop; see list_foreach_safe. */
#define list_foreach(pos, head, member)                                                    \
    for (pos = list_entry((head)->next, __typeof__(*pos), member); &pos->member != (head); \
         pos = list_entry(pos->member.next, __typeof__(*pos), member))

/* tmp keeps the next object, so pos may be removed or freed. */
#define list_foreach_safe(pos, tmp, head, member)                     \
    for (pos = list_entry((head)->next, __typeof__(*pos), member),    \
        tmp = list_entry(pos->member.next, __typeof__(*pos), member); \
         &pos->member != (head);                                      \
         pos = tmp, tmp = list_entry(tmp->member.next, __typeof__(*tmp), member))

#endif
