# A guest of 512 bytes that proves that the guest which came back is the one that was lost.
#
# It counts about nine times a second (every second BIOS tick, unless it is assembled otherwise), keeps the count in the second sector of its disk
# and shows it on its first serial port and, when there is one, on its screen:
#   start N   it goes on from the stored count N (0 on a new disk)
#   count N   N is on the disk: it is written first and shown afterwards
#   fail N    the disk refused N; it tries again with the next tick
#   stop N    the power button was pressed (ACPI); it switches itself off
# Assembled with filled_mebibytes, it first writes to every page of so much memory above the first MiB, which then takes
# its time to be moved. Between two ticks the processor is halted. Needs a PC with PIIX4 power management where SeaBIOS puts it (0x600).
#
# Assemble: as --32 -o counter.o counter.s && ld -m elf_i386 -Ttext 0x7c00 --oformat binary -o counter.bin counter.o

        .intel_syntax noprefix
        .code16
        .globl _start

        .set com1, 0x3f8
        .set pm1_status, 0x600          # PM1a_STS; bit 8 is PWRBTN_STS, cleared by writing it
        .set pm1_enable, 0x602          # PM1a_EN; bit 8 is PWRBTN_EN, without which QEMU drops the press
        .set pm1_control, 0x604         # PM1a_CNT; SLP_TYP 0 with SLP_EN (bit 13) is soft-off on PIIX4
        .set power_button, 0x0100
        .set soft_off, 0x2000
        .set ticks, 0x46c               # BIOS data area: 18.2 ticks a second
        .ifndef ticks_per_count
        .set ticks_per_count, 2
        .endif
        .set magic, 0x4f545442          # "BTTO"
        .set sector, 0x8000             # magic, count, count xor magic

_start:
        ljmp 0, offset begin
begin:
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x7c00
        sti
        cld
        mov [drive], dl

        mov dx, com1 + 3                # 8 bits, no parity, one stop bit; interrupts off
        mov al, 0x03
        out dx, al
        mov dx, com1 + 1
        xor al, al
        out dx, al

        mov dx, pm1_enable
        mov ax, power_button
        out dx, ax

        mov ah, 0x02                    # read
        call disk
        mov eax, [sector + 4]
        mov ecx, eax
        xor ecx, magic
        cmp ecx, [sector + 8]
        jne fresh
        cmp dword ptr [sector], magic
        je known
fresh:
        xor eax, eax
known:
        mov [count], eax

        .ifdef filled_mebibytes
        cli                             # A glance at protected mode: es keeps its limit of 4 GiB afterwards.
        lgdt [table_pointer]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        mov bx, 8
        mov es, bx
        and al, 0xfe
        mov cr0, eax
        xor bx, bx
        mov es, bx
        sti
        mov edi, 0x100000
fill:
        mov es:[edi], edi
        add edi, 0x1000
        cmp edi, 0x100000 * (1 + filled_mebibytes)
        jb fill
        .endif

        mov si, offset text_start
        call show

next:
        mov bx, [ticks]
wait:
        hlt
        mov dx, pm1_status
        in ax, dx
        test ax, power_button
        jnz power_off
        mov ax, [ticks]
        sub ax, bx
        cmp ax, ticks_per_count
        jb wait

        mov eax, [count]
        inc eax
        mov [count], eax
        mov dword ptr [sector], magic
        mov [sector + 4], eax
        xor eax, magic
        mov [sector + 8], eax
        mov ah, 0x03                    # write
        call disk
        mov si, offset text_count
        jnc stored
        mov si, offset text_fail
stored:
        call show
        jmp next

power_off:
        mov dx, pm1_status
        mov ax, power_button
        out dx, ax
        mov si, offset text_stop
        call show
        mov dx, pm1_control
        mov ax, soft_off
        out dx, ax
halt:
        hlt
        jmp halt

# int 13h, function ah, on the second sector; carry is set when it failed.
disk:
        mov al, 1
        mov cx, 0x0002
        mov dh, 0
        mov dl, [drive]
        mov bx, offset sector
        int 0x13
        ret

# Prints the text at si, then the count and a line's end.
show:
        call print
        mov eax, [count]
        mov ecx, 10
        mov di, offset digits_end
digit:
        xor edx, edx
        div ecx
        add dl, '0'
        dec di
        mov [di], dl
        test eax, eax
        jnz digit
        mov si, di                      # falls into print: digits, then the line's end behind them

# Prints the text at si up to a zero byte.
print:
        lodsb
        test al, al
        jz printed
        mov bp, ax
        mov dx, com1 + 5
busy:
        in al, dx                       # without a serial port this reads 0xff, so it never waits for one
        test al, 0x20
        jz busy
        mov ax, bp
        mov dx, com1
        out dx, al
        mov ah, 0x0e                    # the screen, through the BIOS
        mov bx, 0x0007
        int 0x10
        jmp print
printed:
        ret

text_start:
        .asciz "start "
text_count:
        .asciz "count "
text_fail:
        .asciz "fail "
text_stop:
        .asciz "stop "
        .ifdef filled_mebibytes
        .balign 4
table:
        .quad 0, 0x00cf92000000ffff     # nothing, and data: all of 4 GiB
table_pointer:
        .word . - table - 1
        .long table
        .endif
drive:
        .byte 0
        .balign 4
count:
        .long 0
        .space 10
digits_end:
        .asciz "\r\n"

        .org 510
        .word 0xaa55
