// switch — switch_stack for x86-64 and aarch64: push what a callee keeps, change the stack pointer, pop, return.
//
// switch_enter is where a new stack begins: r12/x19 hold its function, r13/x20 the argument (see switch.c). Its caller is
// marked undefined, so that backtraces end there. Indirect branch tracking is honoured; shadow stacks are not (each
// fiber would need one), so the note at the end claims only the former and no loader turns the latter on.

#if defined(__x86_64__)
	.text
	.globl switch_stack
	.hidden switch_stack
	.type switch_stack, @function
	.p2align 4
switch_stack: // rdi: void **from, rsi: void *to
	.cfi_startproc
	endbr64
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	subq $8, %rsp
	stmxcsr (%rsp)
	fnstcw 4(%rsp)
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	ldmxcsr (%rsp)
	fldcw 4(%rsp)
	addq $8, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret
	.cfi_endproc
	.size switch_stack, . - switch_stack

	.globl switch_enter
	.hidden switch_enter
	.type switch_enter, @function
	.p2align 4
switch_enter:
	.cfi_startproc
	.cfi_undefined rip
	endbr64
	movq %r13, %rdi
	call *%r12
	ud2
	.cfi_endproc
	.size switch_enter, . - switch_enter

	.section .note.gnu.property, "a"
	.p2align 3
	.long 4, 16, 5       // name size, description size, NT_GNU_PROPERTY_TYPE_0
	.asciz "GNU"
	.long 0xc0000002, 4  // GNU_PROPERTY_X86_FEATURE_1_AND
	.long 1, 0           // IBT only

#elif defined(__aarch64__)
	.text
	.globl switch_stack
	.hidden switch_stack
	.type switch_stack, %function
	.p2align 4
switch_stack: // x0: void **from, x1: void *to
	.cfi_startproc
	hint #34 // bti c
	sub sp, sp, #176
	stp x19, x20, [sp]
	stp x21, x22, [sp, #16]
	stp x23, x24, [sp, #32]
	stp x25, x26, [sp, #48]
	stp x27, x28, [sp, #64]
	stp x29, x30, [sp, #80]
	stp d8, d9, [sp, #96]
	stp d10, d11, [sp, #112]
	stp d12, d13, [sp, #128]
	stp d14, d15, [sp, #144]
	mrs x9, fpcr
	str x9, [sp, #160]
	mov x9, sp
	str x9, [x0]
	mov sp, x1
	ldr x9, [sp, #160]
	msr fpcr, x9
	ldp d14, d15, [sp, #144]
	ldp d12, d13, [sp, #128]
	ldp d10, d11, [sp, #112]
	ldp d8, d9, [sp, #96]
	ldp x29, x30, [sp, #80]
	ldp x27, x28, [sp, #64]
	ldp x25, x26, [sp, #48]
	ldp x23, x24, [sp, #32]
	ldp x21, x22, [sp, #16]
	ldp x19, x20, [sp]
	add sp, sp, #176
	ret
	.cfi_endproc
	.size switch_stack, . - switch_stack

	.globl switch_enter
	.hidden switch_enter
	.type switch_enter, %function
	.p2align 4
switch_enter:
	.cfi_startproc
	.cfi_undefined x30
	hint #34
	mov x0, x20
	blr x19
	brk #1
	.cfi_endproc
	.size switch_enter, . - switch_enter
#else
#error "no switch for this processor: build with -Dfiber_switch=ucontext"
#endif
	.section .note.GNU-stack, "", %progbits
