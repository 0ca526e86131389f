"""The forms of the staff, with a field for the reason of a change."""

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from shop.models import Order, Product


class ReasonForm(forms.ModelForm):
    """A form whose reason goes to the activity log and to no column."""

    reason = forms.CharField(max_length=500, required=False, help_text="Why; goes to the activity log.")


class OrderForm(ReasonForm):
    """Refuses a refund without a reason."""

    def clean(self) -> None:
        super().clean()
        if self.cleaned_data.get("status") == Order.Status.REFUNDED and not self.cleaned_data.get("reason"):
            self.add_error("reason", "A refund needs a reason.")


@admin.register(Product)
class ProductAdmin(admin.ModelAdmin):
    form = ReasonForm
    list_display = ("name", "price", "stock")


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    form = OrderForm
    list_display = ("id", "product", "quantity", "status")


def reason(request: HttpRequest) -> str | None:
    """Return the reason that a form was sent with; the setting AUDITCTL_REASON names this function."""
    return request.POST.get("reason") or None
